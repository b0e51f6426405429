//! All that is known of each Kubernetes kind, a file each.
