//! Which proxy leads to a server.
//!
//! kube 5.0.0 compares NO_PROXY with the proxy's own address instead of the server's, so it is worked out here, by the
//! rules of Go's `golang.org/x/net/http/httpproxy`, which kubectl follows.

use std::net::IpAddr;

use crate::model::Variables;

/// The proxy for an `https` server, out of HTTPS_PROXY and NO_PROXY (also in lower case).
pub(super) fn proxy_for(host: &str, port: u16, variables: &Variables) -> Option<String> {
    let proxy = variables.get("HTTPS_PROXY").or_else(|| variables.get("https_proxy"))?;
    let exceptions = variables.get("NO_PROXY").or_else(|| variables.get("no_proxy")).unwrap_or_default();
    if goes_direct(host, port, exceptions) {
        return None;
    }
    Some(if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") })
}

/// True where the host is this machine or one of the exceptions holds.
fn goes_direct(host: &str, port: u16, exceptions: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']).to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let exceptions = exceptions.split(',').map(|entry| entry.trim().to_lowercase());
    exceptions.filter(|entry| !entry.is_empty()).any(|entry| excepts(&entry, &host, address, port))
}

fn excepts(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Some(address)) = (entry.split_once('/'), address) {
        return network.parse().is_ok_and(|network| in_network(address, network, bits));
    }
    let (name, wanted_port) = split_port(entry);
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    match (name.parse::<IpAddr>(), address) {
        (Ok(entry), Some(address)) => entry == address,
        (Err(_), None) => {
            let domain = name.strip_prefix('*').unwrap_or(name);
            let bare = domain.strip_prefix('.');
            host.ends_with(&format!(".{}", bare.unwrap_or(domain))) || (bare.is_none() && host == domain)
        }
        _ => false,
    }
}

/// `host:443`, `[::1]:443`, `::1` and `host`.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some((name, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (name, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        Some((name, port)) if !port.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: &str) -> bool {
    let Ok(bits) = bits.parse::<u32>() else { return false };
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            (u32::from(address) ^ u32::from(network)) & mask == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (u128::from(address) ^ u128::from(network)) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_matched_with_the_server() {
        let rows = [
            ("api.internal.example", "api.internal.example", true),
            ("api.internal.example", "internal.example", true),
            ("api.internal.example", ".internal.example", true),
            ("internal.example", ".internal.example", false),
            ("api.internal.example", "*.internal.example", true),
            ("notinternal.example", "internal.example", false),
            ("api.example", "other.example, api.example:6443", true),
            ("api.example", "api.example:443", false),
            ("api.example", "*", true),
            ("API.Example.", "api.example", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.0/25", true),
            ("10.1.2.200", "10.1.2.0/25", false),
            ("10.1.2.3", "10.1.2.3:6443", true),
            ("fd00::1", "fd00::/8", true),
            ("[fd00::1]", "fd00::1", true),
            ("203.0.113.9", "0.0.0.0/0", true),
            ("203.0.113.9", "proxy.corp", false),
            ("localhost", "", true),
            ("127.0.0.1", "", true),
            ("api.example", "", false),
        ];
        for (host, exceptions, direct) in rows {
            assert_eq!(goes_direct(host, 6443, exceptions), direct, "{host} with {exceptions}");
        }
    }

    #[test]
    fn the_proxy_is_told_as_a_url() {
        let variables: Variables =
            [("HTTPS_PROXY", "proxy.corp:3128"), ("NO_PROXY", "internal.example")].into_iter().collect();
        assert_eq!(proxy_for("api.example", 443, &variables).as_deref(), Some("http://proxy.corp:3128"));
        assert_eq!(proxy_for("api.internal.example", 443, &variables), None);
        assert_eq!(proxy_for("api.example", 443, &Variables::default()), None);
    }
}
