//! Which login goes to which registry, as Docker's own client has it (docker/cli, `cli/config`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use crate::model::{Login, Masked, Redactor, Variables};

use super::{RegistryError, helper};

const HUB: &str = "docker.io";
/// What configurations and helpers know Docker Hub by.
const HUB_SERVER: &str = "https://index.docker.io/v1/";
const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";
const LARGEST_FILE: u64 = 10 << 20;

pub(super) struct Credentials {
    variables: Variables,
    redactor: Redactor,
    pushed: BTreeSet<String>,
    asked: Mutex<BTreeMap<String, Option<Login>>>,
}

/// Docker's config.json, as far as logins go.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    pub(super) fn new(variables: Variables, redactor: Redactor, pushed: BTreeSet<String>) -> Self {
        Self { variables, redactor, pushed, asked: Mutex::new(BTreeMap::new()) }
    }

    pub(super) fn login(&self, registry: &str) -> Result<Option<Login>, RegistryError> {
        let registry = host(registry);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = asked.get(registry) {
            return Ok(known.clone());
        }
        let found = self.find(registry)?;
        asked.insert(registry.to_owned(), found.clone());
        Ok(found)
    }

    pub(super) fn logins(&self) -> Result<Vec<Login>, RegistryError> {
        let mut registries: BTreeSet<String> = self.pushed.iter().map(|name| host(name).to_owned()).collect();
        registries.insert(HUB.to_owned());
        for (configuration, _) in self.configurations()? {
            registries.extend(configuration.auths.keys().map(|key| host(key).to_owned()));
            registries.extend(configuration.cred_helpers.keys().map(|key| host(key).to_owned()));
        }
        let unknown: Vec<String> = {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            registries.iter().filter(|name| !asked.contains_key(*name)).cloned().collect()
        };
        // helpers take their time, each: they are asked side by side
        let found: Vec<_> = std::thread::scope(|scope| {
            let asking: Vec<_> =
                unknown.into_iter().map(|name| scope.spawn(|| (self.find(&name).ok(), name))).collect();
            asking.into_iter().filter_map(|asking| asking.join().ok()).collect()
        });
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.extend(found.into_iter().filter_map(|(found, name)| Some((name, found?))));
        Ok(registries.iter().filter_map(|name| asked.get(name).cloned().flatten()).collect())
    }

    /// `DOCKER_AUTH_CONFIG`, the configuration file, and for a registry that is pushed to two plain variables.
    fn find(&self, registry: &str) -> Result<Option<Login>, RegistryError> {
        for (configuration, origin) in self.configurations()? {
            if let Some(login) = configuration.login(registry, &origin)? {
                return Ok(Some(self.learnt(login)));
            }
        }
        Ok(self.of_variables(registry).map(|login| self.learnt(login)))
    }

    fn learnt(&self, login: Login) -> Login {
        self.redactor.learn(login.password.reveal());
        login
    }

    fn of_variables(&self, registry: &str) -> Option<Login> {
        if !self.pushed.iter().any(|pushed| host(pushed) == registry) {
            return None;
        }
        let user = self.variables.get("DOCKER_USERNAME")?;
        let password = self.variables.get("DOCKER_PASSWORD")?;
        Some(login(registry, user, password, "DOCKER_USERNAME"))
    }

    fn configurations(&self) -> Result<Vec<(Configuration, String)>, RegistryError> {
        let mut found = Vec::new();
        if let Some(text) = self.variables.get(AUTH_CONFIG) {
            found.push((parse(text, AUTH_CONFIG)?, AUTH_CONFIG.to_owned()));
        }
        if let Some((text, origin)) = self.file()? {
            found.push((parse(&text, &origin)?, origin));
        }
        Ok(found)
    }

    /// None where there is no file.
    fn file(&self) -> Result<Option<(String, String)>, RegistryError> {
        let (folder, shown) = match (self.variables.get("DOCKER_CONFIG"), self.variables.get("HOME")) {
            (Some(folder), _) => (PathBuf::from(folder), folder.trim_end_matches('/').to_owned()),
            (None, Some(home)) => (PathBuf::from(home).join(".docker"), "~/.docker".to_owned()),
            (None, None) => return Ok(None),
        };
        let path = folder.join("config.json");
        let origin = format!("{shown}/config.json");
        let wrong = |why: String| RegistryError::Configuration { origin: origin.clone(), why };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > LARGEST_FILE => return Err(wrong("it is too large".into())),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(error.to_string())),
        }
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        Ok(Some((text, origin)))
    }
}

/// The parser's own message may quote what stands there, so only the place is told.
fn parse(text: &str, origin: &str) -> Result<Configuration, RegistryError> {
    if text.trim().is_empty() {
        return Ok(Configuration::default());
    }
    serde_json::from_str(text).map_err(|error| RegistryError::Configuration {
        origin: origin.to_owned(),
        why: format!("line {}, column {} is not as expected", error.line(), error.column()),
    })
}

impl Configuration {
    /// A helper of the registry's own, else the store, else what stands in the file.
    fn login(&self, registry: &str, origin: &str) -> Result<Option<Login>, RegistryError> {
        let own = self.cred_helpers.iter().find(|(key, name)| host(key) == registry && !name.is_empty());
        let (name, server) = match (own, self.creds_store.as_deref().filter(|store| !store.is_empty())) {
            (Some((key, name)), _) => (name.as_str(), key.as_str()),
            (None, Some(store)) => (store, if registry == HUB { HUB_SERVER } else { registry }),
            (None, None) => return self.inline(registry, origin),
        };
        let helper = format!("docker-credential-{name}");
        let answer = helper::ask(name, server).map_err(|why| RegistryError::Helper {
            helper: helper.clone(),
            registry: registry.to_owned(),
            why,
        })?;
        match answer {
            Some(answer) => Ok(Some(login(registry, &answer.username, &answer.secret, &helper))),
            None => self.inline(registry, origin),
        }
    }

    fn inline(&self, registry: &str, origin: &str) -> Result<Option<Login>, RegistryError> {
        let found = self.auths.iter().filter(|(key, _)| host(key) == registry);
        for (_, entry) in found {
            if let Some(login) = entry.login(registry, origin)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

impl Entry {
    /// None for the empty entry that stands where a store has the login.
    fn login(&self, registry: &str, origin: &str) -> Result<Option<Login>, RegistryError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(login(registry, "<token>", &token, origin)));
        }
        if let Some(auth) = given(&self.auth) {
            let (user, password) = decoded(&auth).ok_or_else(|| RegistryError::Configuration {
                origin: origin.to_owned(),
                why: format!("`auth` of {registry} is not user and password in base64"),
            })?;
            return Ok(Some(login(registry, &user, &password, origin)));
        }
        Ok(given(&self.username)
            .zip(given(&self.password))
            .map(|(user, password)| login(registry, &user, &password, origin)))
    }
}

fn login(registry: &str, user: &str, password: &str, origin: &str) -> Login {
    Login {
        registry: registry.to_owned(),
        user: user.to_owned(),
        password: Masked::new(password),
        identity_token: user == "<token>",
        origin: origin.to_owned(),
    }
}

/// `user:password`; padding may be missing, and older versions ended the password with zeros.
fn decoded(auth: &str) -> Option<(String, String)> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// The registry that a key of the configuration is about: keys may be URLs, and Docker Hub has several.
fn host(key: &str) -> &str {
    let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
    match bare.split('/').next().unwrap_or(bare) {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => HUB,
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(variables: &[(&str, &str)]) -> (Credentials, Redactor) {
        let redactor = Redactor::default();
        let pushed = BTreeSet::from(["registry.example.com".to_owned()]);
        let variables = variables.iter().copied().collect();
        (Credentials::new(variables, redactor.clone(), pushed), redactor)
    }

    fn told(credentials: &Credentials, registry: &str) -> String {
        match credentials.login(registry) {
            Ok(None) => "-".to_owned(),
            Ok(Some(login)) => format!("{} {} {}", login.user, login.password.reveal(), login.origin),
            Err(error) => error.to_string(),
        }
    }

    // alice:pass-word-1
    const AUTHS: &str = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "YWxpY2U6cGFzcy13b3JkLTE="},
        "other.example.com:5000": {"username": "bob", "password": "pass-word-2"},
        "padless.example.com": {"auth": "YWxpY2U6cGFzcy13b3JkLTE"},
        "token.example.com": {"auth": "", "identitytoken": "token-3"},
        "broken.example.com": {"auth": "!!"},
        "empty.example.com": {}}}"#;

    #[test]
    fn entries_are_found_by_any_name_of_a_registry() {
        let (credentials, redactor) = credentials(&[(AUTH_CONFIG, AUTHS)]);
        for (registry, expected) in [
            ("docker.io", "alice pass-word-1 DOCKER_AUTH_CONFIG"),
            ("index.docker.io", "alice pass-word-1 DOCKER_AUTH_CONFIG"),
            ("other.example.com:5000", "bob pass-word-2 DOCKER_AUTH_CONFIG"),
            ("other.example.com", "-"),
            ("padless.example.com", "alice pass-word-1 DOCKER_AUTH_CONFIG"),
            ("token.example.com", "<token> token-3 DOCKER_AUTH_CONFIG"),
            ("empty.example.com", "-"),
            ("unknown.example.com", "-"),
        ] {
            assert_eq!(told(&credentials, registry), expected, "{registry}");
        }
        assert!(told(&credentials, "broken.example.com").contains("not user and password in base64"));
        assert_eq!(redactor.clean("is pass-word-1 in YWxpY2U"), "is *** in YWxpY2U");
        let names: Vec<String> = credentials.logins().unwrap().into_iter().map(|login| login.registry).collect();
        assert_eq!(names, ["docker.io", "other.example.com:5000", "padless.example.com", "token.example.com"]);
    }

    #[test]
    fn plain_variables_count_only_where_is_pushed_to() {
        let both = [("DOCKER_USERNAME", "carol"), ("DOCKER_PASSWORD", "pass-word-4")];
        let (credentials, _) = credentials(&both);
        assert_eq!(told(&credentials, "registry.example.com"), "carol pass-word-4 DOCKER_USERNAME");
        assert_eq!(told(&credentials, "docker.io"), "-");
    }

    #[test]
    fn the_variable_goes_before_the_file_and_a_broken_file_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let file = r#"{"auths": {"docker.io": {"username": "of-file", "password": "pass-word-5"},
            "only.example.com": {"username": "of-file", "password": "pass-word-5"}}}"#;
        std::fs::write(folder.path().join("config.json"), file).unwrap();
        let path = folder.path().to_str().unwrap();
        let (known, _) = credentials(&[(AUTH_CONFIG, AUTHS), ("DOCKER_CONFIG", path)]);
        assert_eq!(told(&known, "docker.io"), "alice pass-word-1 DOCKER_AUTH_CONFIG");
        assert_eq!(told(&known, "only.example.com"), format!("of-file pass-word-5 {path}/config.json"));
        std::fs::write(folder.path().join("config.json"), "{\"auths\": s3cr3t}").unwrap();
        let (broken, _) = credentials(&[("DOCKER_CONFIG", path)]);
        let said = told(&broken, "docker.io");
        assert!(said.contains("line 1, column") && !said.contains("s3cr3t"), "{said}");
        let (absent, _) = credentials(&[("DOCKER_CONFIG", "/not/there")]);
        assert_eq!(told(&absent, "docker.io"), "-");
    }
}
