/**
 * A certificate for 127.0.0.1 that nobody has signed, with its key. It protects
 * nothing: a server that must not be trusted needs one. Valid for a hundred years.
 */
export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXBnP66EK2qQj05aJ
A44vmhhx52CQjLiGKSSyfekJl5+hRANCAATpnPhs5kjvFPvyKxelCJ881TmHIUTG
DkTxAbw/9e+8NYEhW+v9AzfUnBqiHa6uxjgoczYTZRs+OgR6cu7JnvJo
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUbyOizHMeq1j1BDtGSibmjr11zxswCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjE0NTIwNloYDzIxMjYxMDI5
MTQ1MjA2WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATpnPhs5kjvFPvyKxelCJ881TmHIUTGDkTxAbw/9e+8NYEhW+v9AzfU
nBqiHa6uxjgoczYTZRs+OgR6cu7JnvJoo2QwYjAdBgNVHQ4EFgQULU7Lj8Bxbe/m
3B/KE8I2qGmad4YwHwYDVR0jBBgwFoAULU7Lj8Bxbe/m3B/KE8I2qGmad4YwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IAv7MkZNBfHuOOPUYbIv2bSAZI1Nwdg1ZJXkST8qXbOnAiAYdGrVQ6o2oF9u9bk/
P1Z0z6M0t02G/MEgNiHGJ0m/HQ==
-----END CERTIFICATE-----
`,
};

/**
 * A certificate for api.test, its subdomains, proxy.test and this machine, signed by
 * itself: who is told to trust it trusts these servers. Valid from 2020 to 2120.
 */
export const testRoot = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJK0DoQJa8cGc0z93
P1w9FuU/Qv0luTHsBxAOsh0ihIahRANCAASQzNzV0oFm4oksMNklJP8s0JlTU7ny
4bhQ5aYUqE7LPhkSMVFpSuF0yC+0PZ84P5WMTTUo3LG1hts3/h3Lcg48
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBkjCCATmgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5pbmZsdXhp
b24gdGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowGTEXMBUG
A1UEAwwOaW5mbHV4aW9uIHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASQ
zNzV0oFm4oksMNklJP8s0JlTU7ny4bhQ5aYUqE7LPhkSMVFpSuF0yC+0PZ84P5WM
TTUo3LG1hts3/h3Lcg48o3AwbjAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBRl
bNV+XlJ6I4ygzil74INsz9BQVDA8BgNVHREENTAzgghhcGkudGVzdIIKKi5hcGku
dGVzdIIKcHJveHkudGVzdIIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49BAMCA0cA
MEQCIErZUSHMchOi9AJCm9XB26N3dUN11hGMsoJVI4e8lcCJAiBc5vSBmYmrlnMZ
JlflGwyrgARt6w3LeTkR0Iuq3nIh8g==
-----END CERTIFICATE-----
`,
};
