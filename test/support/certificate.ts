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
