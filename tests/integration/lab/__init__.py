"""The lab of the integration tests: a guest, a host, a router and a server in namespaces."""
