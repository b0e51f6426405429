//! Where an app can be reached from outside.

use serde_json::Value;

use crate::{
    kinds::read,
    model::{Address, ObjectId},
};

/// The URLs that lead to a Service, an Ingress or an HTTPRoute, as far as they are known.
pub(super) fn urls(object: &Value, server: &str) -> Vec<String> {
    let mut found = match read::text(object, &["kind"]) {
        "Ingress" => of_ingress(object),
        "HTTPRoute" => of_route(object),
        "Service" => of_service(object, server),
        _ => Vec::new(),
    };
    found.dedup();
    found
}

/// The same with what is known without the address of a node.
pub(super) fn of<'o>(objects: impl IntoIterator<Item = &'o Value>, server: &str) -> Vec<Address> {
    let addresses = |object: &Value| -> Vec<Address> {
        let id: ObjectId = read::id(object);
        let mut known = urls(object, server);
        if known.is_empty() {
            known = node_ports(object).map(|(_, port)| format!("port {port} of every node")).collect();
        }
        known.into_iter().map(|url| Address { object: id.clone(), url }).collect()
    };
    objects.into_iter().flat_map(addresses).collect()
}

/// The address that a controller gave, of a name and a number the name.
fn given(object: &Value) -> Option<&str> {
    let first = read::list(object, &["status", "loadBalancer", "ingress"]).first()?;
    [read::text(first, &["hostname"]), read::text(first, &["ip"])].into_iter().find(|text| !text.is_empty())
}

fn of_ingress(object: &Value) -> Vec<String> {
    let tls = read::list(object, &["spec", "tls"]);
    let named = |host: &str| tls.iter().any(|tls| read::list(tls, &["hosts"]).iter().any(|name| name == host));
    // without hosts the certificate counts for all
    let all = tls.iter().any(|tls| read::list(tls, &["hosts"]).is_empty());
    let rules = read::list(object, &["spec", "rules"]);
    let mut found: Vec<String> = Vec::new();
    for rule in rules {
        let host = match read::text(rule, &["host"]) {
            "" => given(object),
            host => Some(host),
        };
        let Some(host) = host else { continue };
        let scheme = if all || named(host) { "https" } else { "http" };
        let path = match read::list(rule, &["http", "paths"]) {
            [one] => read::text(one, &["path"]).trim_end_matches('/'),
            _ => "",
        };
        found.push(format!("{scheme}://{host}{path}"));
    }
    if rules.is_empty() {
        let scheme = if tls.is_empty() { "http" } else { "https" };
        found.extend(given(object).map(|host| format!("{scheme}://{host}")));
    }
    found
}

/// A route does not say how its gateway listens, unless it names a port or a listener.
fn of_route(object: &Value) -> Vec<String> {
    let secure = |parent: &Value| {
        read::number(parent, &["port"]) == Some(443) || read::text(parent, &["sectionName"]).starts_with("https")
    };
    let scheme = if read::list(object, &["spec", "parentRefs"]).iter().any(secure) { "https" } else { "http" };
    let hosts = read::list(object, &["spec", "hostnames"]).iter().filter_map(Value::as_str);
    hosts.map(|host| format!("{scheme}://{host}")).collect()
}

fn of_service(object: &Value, server: &str) -> Vec<String> {
    if let Some(host) = given(object) {
        let ports = read::list(object, &["spec", "ports"]).iter().filter(|port| is_tcp(port));
        return ports.map(|port| url(host, port, read::number(port, &["port"]).unwrap_or(80))).collect();
    }
    // the node is this machine: a cluster to try things on
    let node = server.split("://").nth(1).and_then(|rest| rest.rsplit_once(':')).map_or("", |(host, _)| host);
    if !matches!(node, "127.0.0.1" | "localhost") {
        return Vec::new();
    }
    node_ports(object).map(|(port, number)| url(node, port, number)).collect()
}

fn is_tcp(port: &Value) -> bool {
    matches!(read::text(port, &["protocol"]), "" | "TCP")
}

fn node_ports(object: &Value) -> impl Iterator<Item = (&Value, i64)> {
    let ports = read::list(object, &["spec", "ports"]).iter().filter(|port| is_tcp(port));
    ports.filter_map(|port| Some((port, read::number(port, &["nodePort"]).filter(|number| *number > 0)?)))
}

/// `http://203.0.113.10`; another port than the scheme's is named.
fn url(host: &str, port: &Value, number: i64) -> String {
    let secure = read::number(port, &["port"]) == Some(443) || read::text(port, &["name"]).starts_with("https");
    let (scheme, usual) = if secure { ("https", 443) } else { ("http", 80) };
    if number == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{number}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERVER: &str = "https://203.0.113.1:6443";

    fn service(ports: Value, ingress: Value) -> Value {
        json!({"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": ports},
            "status": {"loadBalancer": {"ingress": ingress}}})
    }

    #[test]
    fn a_service_is_reached_by_its_load_balancer_or_its_node_port() {
        let web = json!([{"port": 80, "nodePort": 30080}]);
        let both = json!([{"port": 80}, {"port": 443, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]);
        let odd = json!([{"name": "https-admin", "port": 8443}]);
        for (object, server, expected) in [
            (
                service(both, json!([{"ip": "203.0.113.10"}])),
                SERVER,
                &["http://203.0.113.10", "https://203.0.113.10"][..],
            ),
            (service(odd, json!([{"hostname": "lb.example.com"}])), SERVER, &["https://lb.example.com:8443"]),
            (service(web.clone(), json!([])), SERVER, &["port 30080 of every node"]),
            (service(web, json!([])), "https://127.0.0.1:6443", &["http://127.0.0.1:30080"]),
            (service(json!([{"port": 80}]), json!([])), SERVER, &[]),
        ] {
            let found: Vec<String> = of([&object], server).into_iter().map(|address| address.url).collect();
            assert_eq!(found, expected, "{object}");
        }
    }

    #[test]
    fn an_ingress_is_reached_by_its_hosts() {
        let ingress = |spec: Value| {
            json!({"kind": "Ingress", "metadata": {"name": "web"}, "spec": spec,
                "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.9"}]}}})
        };
        let rule = |host: &str, paths: Value| json!({"host": host, "http": {"paths": paths}});
        let one = json!([{"path": "/shop/"}]);
        let two = json!([{"path": "/a"}, {"path": "/b"}]);
        for (spec, expected) in [
            (
                json!({"rules": [rule("a.example.com", one.clone()), rule("b.example.com", two)],
                "tls": [{"hosts": ["b.example.com"]}]}),
                &["http://a.example.com/shop", "https://b.example.com"][..],
            ),
            (json!({"rules": [rule("", json!([]))], "tls": [{"secretName": "t"}]}), &["https://203.0.113.9"]),
            (json!({"defaultBackend": {}}), &["http://203.0.113.9"]),
        ] {
            assert_eq!(urls(&ingress(spec), SERVER), expected);
        }
    }

    #[test]
    fn a_route_is_reached_by_its_names() {
        let route = |parent: Value| {
            json!({"kind": "HTTPRoute", "metadata": {"name": "web"},
                "spec": {"hostnames": ["a.example.com"], "parentRefs": [parent]}})
        };
        assert_eq!(urls(&route(json!({"name": "gateway"})), SERVER), ["http://a.example.com"]);
        assert_eq!(urls(&route(json!({"sectionName": "https"})), SERVER), ["https://a.example.com"]);
    }
}
