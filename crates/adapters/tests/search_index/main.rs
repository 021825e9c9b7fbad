//! What a search index promises, kept by both of them: the embedded one on a real PostgreSQL, and the
//! one in a cluster against a double that refuses whatever is not exactly the cluster's API, or, if
//! `OPENSEARCH_URL` is set, against the cluster at that address.

mod conformance;
mod double;
mod opensearch;
mod postgres;
