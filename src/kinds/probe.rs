//! What a probe asks, in words.

use serde_json::Value;

use super::read;

/// `readinessProbe: GET http://10.0.0.7:8080/health each 10 s, fails after 3`; none where it is of no known sort. The node
/// asks the pod's own address unless a host is set.
pub(super) fn described(key: &str, probe: &Value, address: &str) -> Option<String> {
    let how = if let Some(http) = read::at(probe, &["httpGet"]) {
        let scheme = read::text(http, &["scheme"]).to_lowercase();
        let scheme = if scheme.is_empty() { "http" } else { &scheme };
        format!("GET {scheme}://{}{}", place(http, address), read::text(http, &["path"]))
    } else if let Some(tcp) = read::at(probe, &["tcpSocket"]) {
        format!("connects to {}", place(tcp, address))
    } else if let Some(grpc) = read::at(probe, &["grpc"]) {
        format!("asks the gRPC service at {}", place(grpc, address))
    } else {
        let command: Vec<&str> = read::list(probe, &["exec", "command"]).iter().filter_map(Value::as_str).collect();
        let first = command.join(" ");
        format!("runs `{}`", first.lines().next()?)
    };
    let each = read::number(probe, &["periodSeconds"]).unwrap_or(10);
    let most = read::number(probe, &["failureThreshold"]).unwrap_or(3);
    Some(format!("{key}: {how} each {each} s, fails after {most}"))
}

/// Host and port; a port may have a name.
fn place(of: &Value, address: &str) -> String {
    let host = Some(read::text(of, &["host"])).filter(|host| !host.is_empty()).unwrap_or(address);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match read::at(of, &["port"]) {
        Some(Value::String(name)) => format!("{host}:{name}"),
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}
