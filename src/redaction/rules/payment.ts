import type { TokenForm } from "./token.ts";

/** Payment and shops. */
export const PAYMENT: readonly TokenForm[] = [
  {
    id: "stripe-key",
    source: "https://docs.stripe.com/keys; rule set of gitleaks (MIT)",
    needles: ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"],
    pattern: "[sr]k_(?:live|test|org(?:_live|_test)?)_[A-Za-z0-9]{16,250}",
    tail: 16,
    distinct: true,
  },
  {
    id: "stripe-webhook-secret",
    source: "https://docs.stripe.com/webhooks",
    needles: ["whsec_"],
    pattern: "whsec_[A-Za-z0-9+/]{24,100}={0,2}",
    tail: 24,
    distinct: true,
  },
  {
    id: "square-token",
    source:
      "https://developer.squareup.com/docs/build-basics/access-tokens; rule set of gitleaks (MIT)",
    needles: ["sq0atp-", "sq0csp-"],
    pattern: "sq0(?:atp-[A-Za-z0-9_-]{22,60}|csp-[A-Za-z0-9_-]{43,60})",
    tail: 22,
    distinct: true,
  },
  {
    id: "square-access-token",
    source:
      "https://developer.squareup.com/docs/build-basics/access-tokens; rule set of gitleaks (MIT)",
    needles: ["EAAA"],
    pattern: "EAAA[A-Za-z0-9_-]{60}",
    tail: 59,
    exact: true,
    random: true,
  },
  {
    id: "paypal-token",
    source:
      "https://developer.paypal.com/braintree/articles/control-panel/important-gateway-credentials",
    needles: ["access_token$"],
    pattern: "access_token\\$(?:production|sandbox)\\$[0-9a-z]{16}\\$[0-9a-f]{32}",
    tail: 32,
    distinct: true,
  },
  {
    id: "shopify-token",
    source:
      "https://shopify.dev/docs/apps/build/authentication-authorization; rule set of gitleaks (MIT)",
    needles: ["shpat_", "shpca_", "shppa_", "shpss_", "shptka_"],
    pattern: "shp(?:at|ca|pa|ss|tka)_[A-Za-z0-9]{32,64}",
    tail: 32,
    distinct: true,
  },
  {
    id: "duffel-token",
    source: "https://duffel.com/docs/api; rule set of gitleaks (MIT)",
    needles: ["duffel_live_", "duffel_test_"],
    pattern: "duffel_(?:live|test)_[A-Za-z0-9_-]{43}",
    tail: 43,
    distinct: true,
  },
  {
    id: "plaid-token",
    source: "https://plaid.com/docs/api/tokens; rule set of gitleaks (MIT)",
    needles: ["access-"],
    pattern:
      "access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    tail: 44,
  },
  {
    id: "easypost-key",
    source: "https://docs.easypost.com; rule set of gitleaks (MIT)",
    needles: ["EZAK", "EZTK"],
    pattern: "EZ[AT]K[A-Za-z0-9]{54}",
    tail: 54,
  },
  {
    id: "shippo-token",
    source: "https://docs.goshippo.com; rule set of gitleaks (MIT)",
    needles: ["shippo_"],
    pattern: "shippo_(?:live|test)_[a-fA-F0-9]{40}",
    tail: 40,
    distinct: true,
  },
];
