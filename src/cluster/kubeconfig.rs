//! Where the connection comes from, and what the files say about it.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster as Server, Kubeconfig, KubeconfigError};
use secrecy::SecretString;

use super::error::ClusterError;
use crate::model::{ConnectionOptions, Sourced};

/// The one place that decides about the connection.
#[derive(Debug, PartialEq)]
pub(super) enum Source {
    /// K8S_SERVER (or `--server`), K8S_TOKEN and K8S_CA.
    Variables {
        server: String,
        token: String,
        ca: Option<String>,
        origin: String,
    },
    /// Kubeconfig files, merged as kubectl merges them: the first one that says something wins.
    Files {
        files: Vec<PathBuf>,
        origin: String,
        context: Option<String>,
        server: Option<String>,
    },
    InCluster {
        host: String,
        port: String,
    },
}

/// A server and a login, with names to show.
#[derive(Debug)]
pub(super) struct Access {
    pub server: Server,
    pub login: AuthInfo,
    pub context: Option<String>,
    pub user: Option<String>,
    pub origin: String,
}

const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Context, then K8S_SERVER, then KUBECONFIG, then `~/.kube/config`, then in-cluster. `exists` answers for files.
pub(super) fn source(options: &ConnectionOptions, exists: impl Fn(&Path) -> bool) -> Result<Source, ClusterError> {
    let variables = &options.variables;
    if options.context.is_none()
        && let Some(server) = server_of_variables(options)
    {
        return from_variables(options, server);
    }
    let server = options.server.as_ref().map(|server| server.value.clone());
    let context = options.context.as_ref();
    let named = |default: &str| context.map_or_else(|| default.to_owned(), |context| context.origin.to_string());
    let files = |files, origin: &str| {
        let context = context.map(|context| context.value.clone());
        Ok(Source::Files { files, origin: named(origin), context, server: server.clone() })
    };
    if let Some(list) = variables.get("KUBECONFIG") {
        return files(
            list.split(PATH_SEPARATOR).filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
            "KUBECONFIG",
        );
    }
    let home = variables.get("HOME").map(|home| Path::new(home).join(".kube/config"));
    if let Some(file) = home.filter(|file| exists(file)) {
        return files(vec![file], "~/.kube/config");
    }
    match (context, variables.get("KUBERNETES_SERVICE_HOST"), variables.get("KUBERNETES_SERVICE_PORT")) {
        (Some(context), ..) => Err(no_kubeconfig_for(context, variables.get("K8S_SERVER").is_some())),
        (None, Some(host), Some(port)) => Ok(Source::InCluster { host: host.to_owned(), port: port.to_owned() }),
        _ => Err(settings("no cluster is named: there is neither KUBECONFIG nor ~/.kube/config nor K8S_SERVER")
            .hint("set K8S_SERVER, K8S_TOKEN and K8S_CA, or KUBECONFIG")),
    }
}

const PATH_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// `--server` stands for K8S_SERVER where a token is there to go with it; else it replaces the kubeconfig's address.
fn server_of_variables(options: &ConnectionOptions) -> Option<Sourced<String>> {
    let has_token = options.variables.get("K8S_TOKEN").is_some();
    options.server.clone().filter(|_| has_token).or_else(|| options.variables.sourced("K8S_SERVER"))
}

fn from_variables(options: &ConnectionOptions, server: Sourced<String>) -> Result<Source, ClusterError> {
    let variables = &options.variables;
    if variables.get("KUBECONFIG").is_some() && variables.get("K8S_SERVER").is_some() {
        return Err(settings("both K8S_SERVER and KUBECONFIG are set; which cluster is meant is not clear")
            .hint("unset one of them, or name a context with --context"));
    }
    let Some(token) = variables.get("K8S_TOKEN") else {
        return Err(
            settings("K8S_SERVER is set, but K8S_TOKEN is not").hint("set K8S_TOKEN to a ServiceAccount's token")
        );
    };
    Ok(Source::Variables {
        origin: if options.server.is_some() { server.origin.to_string() } else { "K8S_SERVER".to_owned() },
        server: options.server.as_ref().map_or(server.value, |server| server.value.clone()),
        token: token.trim().to_owned(),
        ca: variables.get("K8S_CA").map(str::to_owned),
    })
}

fn no_kubeconfig_for(context: &Sourced<String>, has_server: bool) -> ClusterError {
    let text = format!(
        "context `{}` ({}) is asked for, but there is neither KUBECONFIG nor ~/.kube/config",
        context.value, context.origin
    );
    let error = settings(text);
    if has_server {
        error.hint("K8S_SERVER is used only where no context is named: take the context away")
    } else {
        error
    }
}

/// Reads what the source names.
pub(super) fn access(source: Source) -> Result<Access, ClusterError> {
    match source {
        Source::Variables { server, token, ca, origin } => {
            let mut access = Access::new(server, origin);
            access.login.token = Some(SecretString::from(token));
            if let Some(ca) = ca {
                let pem = pem_of(&ca).map_or_else(|| read(Path::new(&ca), "K8S_CA"), Ok)?;
                access.server.certificate_authority_data = Some(encoded(&pem));
            }
            Ok(access)
        }
        Source::InCluster { host, port } => {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let mut access = Access::new(format!("https://{host}:{port}"), "in-cluster".to_owned());
            let token = Path::new(SERVICE_ACCOUNT).join("token");
            read(&token, "in-cluster")?;
            access.login.token_file = Some(token.to_string_lossy().into_owned());
            access.server.certificate_authority = Some(format!("{SERVICE_ACCOUNT}/ca.crt"));
            Ok(access)
        }
        Source::Files { files, origin, context, server } => from_files(&files, origin, context, server),
    }
}

impl Access {
    fn new(server: String, origin: String) -> Self {
        let server = Server { server: Some(server), ..Server::default() };
        Self { server, login: AuthInfo::default(), context: None, user: None, origin }
    }
}

/// The PEM itself, plain or in base64 as a kubeconfig has it; none for the name of a file.
fn pem_of(text: &str) -> Option<String> {
    use base64::Engine as _;
    let is_pem = |text: &String| text.contains("-----BEGIN");
    let joined: String = text.split_whitespace().collect();
    let unpacked = || String::from_utf8(base64::engine::general_purpose::STANDARD.decode(joined).ok()?).ok();
    Some(text.to_owned()).filter(is_pem).or_else(unpacked).filter(is_pem)
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn read(file: &Path, what: &str) -> Result<String, ClusterError> {
    std::fs::read_to_string(file)
        .map_err(|error| settings(format!("{what}: {} cannot be read: {error}", file.display())))
}

fn from_files(
    files: &[PathBuf],
    origin: String,
    context: Option<String>,
    server: Option<String>,
) -> Result<Access, ClusterError> {
    let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let config = merged(files)?;
    let Some(name) = context.or_else(|| config.current_context.clone().filter(|name| !name.is_empty())) else {
        let names = names(config.contexts.iter().map(|context| &context.name));
        return Err(
            settings(format!("{shown} names no current context")).hint(format!("add `--context` with one of: {names}"))
        );
    };
    let found = config.contexts.iter().find(|context| context.name == name).and_then(|named| named.context.clone());
    let Some(context) = found else {
        let names = names(config.contexts.iter().map(|context| &context.name));
        return Err(settings(format!("{shown} has no context `{name}`")).hint(format!("it has: {names}")));
    };
    let cluster =
        config.clusters.iter().find(|named| named.name == context.cluster).and_then(|named| named.cluster.clone());
    let Some(mut cluster) = cluster else {
        return Err(settings(format!(
            "{shown}: context `{name}` names the cluster `{}`, which is not there",
            context.cluster
        )));
    };
    let user = context.user.filter(|user| !user.is_empty());
    let login = match &user {
        None => AuthInfo::default(),
        Some(user) => {
            let named = config.auth_infos.iter().find(|named| &named.name == user);
            named.map(|named| named.auth_info.clone().unwrap_or_default()).ok_or_else(|| {
                settings(format!("{shown}: context `{name}` names the user `{user}`, which is not there"))
            })?
        }
    };
    cluster.server = server.or(cluster.server);
    if cluster.server.is_none() {
        return Err(settings(format!("{shown}: cluster `{}` has no server", context.cluster)));
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        let text =
            format!("{shown}: cluster `{}` has insecure-skip-tls-verify, which shipway does not do", context.cluster);
        return Err(settings(text).hint("put the server's certificate-authority-data there instead"));
    }
    Ok(Access { server: cluster, login, context: Some(name), user, origin })
}

/// Files that are not there are passed over where another one is, as kubectl does.
fn merged(files: &[PathBuf]) -> Result<Kubeconfig, ClusterError> {
    let there: Vec<_> = files.iter().filter(|file| files.len() == 1 || file.exists()).collect();
    if there.is_empty() {
        let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(settings(format!("KUBECONFIG: none of these files is there: {shown}")));
    }
    there.into_iter().try_fold(Kubeconfig::default(), |config, file| {
        let next = Kubeconfig::read_from(file).map_err(|error| unreadable(file, &error))?;
        config.merge(next).map_err(|error| unreadable(file, &error))
    })
}

/// The parser's own text is not shown: it quotes the file's lines, which may hold a token.
fn unreadable(file: &Path, error: &KubeconfigError) -> ClusterError {
    let file = file.display();
    match error {
        KubeconfigError::ReadConfig(error, _) => settings(format!("kubeconfig {file} cannot be read: {error}")),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => settings(format!("{file}:{}:{} is not a kubeconfig that can be read", at.line(), at.column())),
            None => settings(format!("{file} is not a kubeconfig that can be read")),
        },
        error => settings(format!("{file}: {error}")),
    }
}

fn names<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

pub(super) fn settings(text: impl Into<String>) -> ClusterError {
    ClusterError::Settings { text: text.into(), hints: Vec::new() }
}

impl ClusterError {
    /// With one more remedy; for errors in the settings only.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Settings { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Variables};

    fn options(context: Option<&str>, variables: &[(&str, &str)]) -> ConnectionOptions {
        ConnectionOptions {
            context: context.map(|name| Sourced::new(name.to_owned(), Origin::Flag("--context"))),
            server: None,
            variables: variables.iter().copied().collect::<Variables>(),
        }
    }

    /// A word for what was chosen, or the error's text.
    fn chosen(context: Option<&str>, variables: &[(&str, &str)], home_config: bool) -> String {
        match source(&options(context, variables), |_| home_config) {
            Ok(Source::Variables { server, origin, .. }) => format!("{origin} {server}"),
            Ok(Source::Files { files, origin, context, .. }) => {
                let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
                format!("{origin} {} {}", files.join("+"), context.unwrap_or_default()).trim_end().to_owned()
            }
            Ok(Source::InCluster { host, .. }) => format!("in-cluster {host}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_order_of_sources() {
        const HOME: (&str, &str) = ("HOME", "/home/a");
        const FILES: (&str, &str) = ("KUBECONFIG", "/a:/b");
        const SERVER: (&str, &str) = ("K8S_SERVER", "https://k8s");
        const TOKEN: (&str, &str) = ("K8S_TOKEN", "t");
        const POD: [(&str, &str); 2] = [("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
        let rows = [
            (Some("prod"), vec![HOME, FILES, SERVER, TOKEN], true, "flag --context /a+/b prod"),
            (Some("prod"), vec![HOME], true, "flag --context /home/a/.kube/config prod"),
            (None, vec![HOME, SERVER, TOKEN], true, "K8S_SERVER https://k8s"),
            (None, vec![HOME, FILES, POD[0], POD[1]], true, "KUBECONFIG /a+/b"),
            (None, vec![HOME, POD[0], POD[1]], true, "~/.kube/config /home/a/.kube/config"),
            (None, vec![HOME, POD[0], POD[1]], false, "in-cluster 10.0.0.1"),
            (None, vec![SERVER], true, "K8S_SERVER is set, but K8S_TOKEN is not"),
            (
                None,
                vec![FILES, SERVER, TOKEN],
                true,
                "both K8S_SERVER and KUBECONFIG are set; which cluster is meant is not clear",
            ),
            (
                Some("prod"),
                vec![SERVER, TOKEN],
                false,
                "context `prod` (flag --context) is asked for, but there is neither KUBECONFIG nor ~/.kube/config",
            ),
            (
                None,
                vec![HOME],
                false,
                "no cluster is named: there is neither KUBECONFIG nor ~/.kube/config nor K8S_SERVER",
            ),
        ];
        for (context, variables, home_config, expected) in rows {
            assert_eq!(chosen(context, &variables, home_config), expected);
        }
    }

    const CONFIG: &str = "
clusters:
- {name: one, cluster: {server: https://one}}
- {name: open, cluster: {server: https://open, insecure-skip-tls-verify: true}}
- {name: empty, cluster: {}}
users:
- {name: ann, user: {token: aa-token}}
contexts:
- {name: good, context: {cluster: one, user: ann}}
- {name: nobody, context: {cluster: one}}
- {name: ghost, context: {cluster: one, user: bob}}
- {name: lost, context: {cluster: two, user: ann}}
- {name: open, context: {cluster: open, user: ann}}
- {name: empty, context: {cluster: empty, user: ann}}
";

    #[test]
    fn what_a_context_names_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, CONFIG).unwrap();
        let rows = [
            ("good", "https://one as ann"),
            ("nobody", "https://one as nobody"),
            ("ghost", "context `ghost` names the user `bob`, which is not there"),
            ("lost", "context `lost` names the cluster `two`, which is not there"),
            ("open", "cluster `open` has insecure-skip-tls-verify, which shipway does not do"),
            ("empty", "cluster `empty` has no server"),
            ("gone", " has no context `gone`"),
        ];
        for (context, expected) in rows {
            let told = match from_files(
                std::slice::from_ref(&file),
                "KUBECONFIG".to_owned(),
                Some(context.to_owned()),
                None,
            ) {
                Ok(access) => {
                    format!("{} as {}", access.server.server.unwrap(), access.user.unwrap_or("nobody".to_owned()))
                }
                Err(error) => error.to_string(),
            };
            assert!(told.ends_with(expected), "{told}");
        }
    }

    #[test]
    fn a_certificate_is_text_base64_or_a_file() {
        const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let packed = encoded(PEM);
        let broken = format!("{}\n{}\n", &packed[..20], &packed[20..]);
        for text in [PEM, &packed, &broken] {
            assert_eq!(pem_of(text).as_deref(), Some(PEM), "{text}");
        }
        for text in ["/etc/ca.crt", "ca", "", &encoded("no certificate")] {
            assert_eq!(pem_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_broken_file_is_told_by_its_place_without_its_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "users:\n- name: ann\n  user: {token: [hunter2}\n").unwrap();
        let error = merged(&[file]).unwrap_err().to_string();
        assert!(error.contains("config:3:") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn missing_files_of_a_list_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let (there, missing) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&there, CONFIG).unwrap();
        assert_eq!(merged(&[missing.clone(), there]).unwrap().contexts.len(), 6);
        let told = merged(std::slice::from_ref(&missing)).unwrap_err().to_string();
        assert!(told.starts_with("kubeconfig ") && told.contains("cannot be read"), "{told}");
        assert!(merged(&[missing.clone(), missing]).unwrap_err().to_string().contains("none of these files"));
    }
}
