//! The remote's URL, fit to be shown.

/// The URL without user, password and query: CI systems put their tokens there. `git@host:path` stays as it is.
pub(super) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_left_out() {
        for (url, shown) in [
            ("https://gitlab-ci-token:s3cr3t@git.example.com/team/demo.git", "https://git.example.com/team/demo.git"),
            ("https://ghp_token@github.com/team/demo", "https://github.com/team/demo"),
            ("https://a:b@c@git.example.com/x", "https://git.example.com/x"),
            ("https://git.example.com/x?private_token=abc", "https://git.example.com/x"),
            ("https://git.example.com/a@b", "https://git.example.com/a@b"),
            ("ssh://git@git.example.com:2222/x.git", "ssh://git.example.com:2222/x.git"),
            ("git@github.com:team/demo.git", "git@github.com:team/demo.git"),
            ("/srv/git/demo.git", "/srv/git/demo.git"),
        ] {
            assert_eq!(without_credentials(url), shown, "{url}");
        }
    }
}
