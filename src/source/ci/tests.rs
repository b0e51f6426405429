//! A push, a pull request, a fork's pull request and a git tag of each system.

use crate::model::{CiFacts, Variables};

const SHA: &str = "fc5980630123456789abcdef0123456789abcdef";
const EVENT: &str = r#"{"number": 7, "repository": {"default_branch": "trunk"}, "pull_request": {"number": 7, "html_url": "https://github.com/team/demo/pull/7",
    "head": {"ref": "feature/cart", "sha": "aaaa", "repo": {"full_name": "HEAD_REPO"}},
    "base": {"ref": "trunk", "repo": {"full_name": "team/demo"}}}}"#;

/// `NAME=value` pairs; `SHA` stands for a full hash.
fn detect(text: &str) -> CiFacts {
    let variables: Variables = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, if value == "SHA" { SHA } else { value }))
        .collect();
    super::facts(&variables, &read).unwrap_or_else(|| panic!("not recognised: {text}"))
}

fn read(path: &str) -> Option<String> {
    let teamcity = |lines: &str| Some(format!("# written by the agent\n{}", lines.replace(' ', "\n")));
    match path {
        "/event/push" => Some(r#"{"repository": {"default_branch": "trunk"}}"#.into()),
        "/event/own" => Some(EVENT.replace("HEAD_REPO", "team/demo")),
        "/event/fork" => Some(EVENT.replace("HEAD_REPO", "someone/demo")),
        "/teamcity/build" => teamcity(r"teamcity.configuration.properties.file=/teamcity\:push"),
        "/teamcity:push" => {
            teamcity("teamcity.build.branch=feature/cart teamcity.build.vcs.branch.Root=refs/heads/feature/cart")
        }
        "/teamcity/default" => teamcity("teamcity.build.branch=<default> vcsroot.branch=refs/heads/trunk"),
        "/teamcity/request" => teamcity(
            "teamcity.build.branch=pull/7 teamcity.pullRequest.number=7 teamcity.pullRequest.source.branch=feature/cart",
        ),
        "/teamcity/fork" => teamcity(
            "teamcity.build.branch=pull/7 teamcity.pullRequest.number=7 \
             teamcity.pullRequest.source.branch=refs/heads/trunk teamcity.pullRequest.target.branch=trunk",
        ),
        "/teamcity/tag" => teamcity("teamcity.build.branch=v1 teamcity.build.vcs.branch.Root=refs/tags/v1"),
        _ => None,
    }
}

/// The system, the branch, the tag, and the pull request's number, with `!` for a fork's.
fn said(facts: &CiFacts) -> String {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let request = facts.pull_request.as_ref().map(|request| {
        let number = request.number.as_deref().unwrap_or("?");
        format!("{number}{}", if request.from_fork { "!" } else { "" })
    });
    format!(
        "{} {} {} {}",
        facts.system,
        text(facts.branch.as_ref().map(|branch| branch.value.as_str())),
        text(facts.git_tag.as_ref().map(|tag| tag.value.as_str())),
        text(request.as_deref()),
    )
}

fn table(cases: &[(&str, &str)]) {
    for (variables, expected) in cases {
        assert_eq!(&said(&detect(variables)), expected, "{variables}");
    }
}

#[test]
fn github() {
    table(&[
        (
            "GITHUB_ACTIONS=true GITHUB_REF=refs/heads/feature/cart GITHUB_EVENT_PATH=/event/push",
            "github feature/cart - -",
        ),
        (
            "GITHUB_ACTIONS=true GITHUB_REF=refs/pull/7/merge GITHUB_HEAD_REF=feature/cart GITHUB_EVENT_PATH=/event/own",
            "github feature/cart - 7",
        ),
        (
            "GITHUB_ACTIONS=true GITHUB_REF=refs/pull/7/merge GITHUB_HEAD_REF=feature/cart GITHUB_EVENT_PATH=/event/fork",
            "github feature/cart - 7!",
        ),
        // pull_request_target runs on the base branch
        (
            "GITHUB_ACTIONS=true GITHUB_REF=refs/heads/trunk GITHUB_HEAD_REF=feature/cart GITHUB_EVENT_PATH=/event/fork",
            "github feature/cart - 7!",
        ),
        // an event file that cannot be read cannot clear a fork
        ("GITHUB_ACTIONS=true GITHUB_REF=refs/pull/7/merge GITHUB_HEAD_REF=feature/cart", "github feature/cart - ?!"),
        ("GITHUB_ACTIONS=true GITHUB_REF=refs/tags/v1", "github - v1 -"),
    ]);
    let facts = detect(
        "GITHUB_ACTIONS=true GITHUB_REF=refs/heads/trunk GITHUB_SHA=SHA GITHUB_EVENT_PATH=/event/own \
         GITHUB_SERVER_URL=https://github.com GITHUB_REPOSITORY=team/demo GITHUB_RUN_ID=812 GITHUB_ACTOR=alice",
    );
    assert_eq!(facts.default_branch.map(|branch| branch.value).as_deref(), Some("trunk"));
    assert_eq!(facts.run_url.map(|url| url.value).as_deref(), Some("https://github.com/team/demo/actions/runs/812"));
    let request = facts.pull_request.as_ref().map(crate::model::PullRequestRef::from);
    let described = request.map(|request| request.describe());
    assert_eq!(described.as_deref(), Some("pull request 7 at aaaa · https://github.com/team/demo/pull/7"));
    assert_eq!(facts.commit.map(|commit| commit.value).as_deref(), Some(SHA));
}

#[test]
fn gitlab() {
    table(&[
        ("CI=true GITLAB_CI=true CI_COMMIT_BRANCH=feature/cart", "gitlab feature/cart - -"),
        (
            "GITLAB_CI=true CI_MERGE_REQUEST_IID=7 CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature/cart \
             CI_MERGE_REQUEST_SOURCE_PROJECT_ID=1 CI_MERGE_REQUEST_PROJECT_ID=1",
            "gitlab feature/cart - 7",
        ),
        (
            "GITLAB_CI=true CI_MERGE_REQUEST_IID=7 CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature/cart \
             CI_MERGE_REQUEST_SOURCE_PROJECT_ID=2 CI_MERGE_REQUEST_PROJECT_ID=1",
            "gitlab feature/cart - 7!",
        ),
        (
            "GITLAB_CI=true CI_EXTERNAL_PULL_REQUEST_IID=7 CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME=feature/cart",
            "gitlab feature/cart - 7!",
        ),
        ("GITLAB_CI=true CI_COMMIT_TAG=v1 CI_COMMIT_REF_NAME=v1", "gitlab - v1 -"),
    ]);
    let facts = detect("GITLAB_CI=true CI_COMMIT_BRANCH=x CI_DEFAULT_BRANCH=trunk CI_PIPELINE_URL=https://git/p/1");
    assert_eq!(facts.default_branch.map(|branch| branch.value).as_deref(), Some("trunk"));
    assert_eq!(facts.run_url.map(|url| url.value).as_deref(), Some("https://git/p/1"));
}

#[test]
fn the_page_of_a_pull_request() {
    for (variables, url) in [
        (
            "GITLAB_CI=true CI_MERGE_REQUEST_IID=7 CI_MERGE_REQUEST_PROJECT_URL=https://git/team/demo",
            Some("https://git/team/demo/-/merge_requests/7"),
        ),
        ("JENKINS_URL=x CHANGE_ID=7 CHANGE_URL=https://git/pull/7", Some("https://git/pull/7")),
        ("CIRCLECI=true CIRCLE_PR_NUMBER=7 CIRCLE_PULL_REQUEST=https://git/pull/7", Some("https://git/pull/7")),
        (
            "BITBUCKET_BUILD_NUMBER=1 BITBUCKET_PR_ID=7 BITBUCKET_REPO_FULL_NAME=team/demo",
            Some("https://bitbucket.org/team/demo/pull-requests/7"),
        ),
        ("TRAVIS=true TRAVIS_PULL_REQUEST=7", None),
    ] {
        let request = detect(variables).pull_request.unwrap_or_else(|| panic!("no pull request: {variables}"));
        assert_eq!(request.url.as_deref(), url, "{variables}");
    }
}

#[test]
fn circleci() {
    table(&[
        ("CIRCLECI=true CIRCLE_BRANCH=feature/cart", "circleci feature/cart - -"),
        // the push of a branch for which a pull request is open
        ("CIRCLECI=true CIRCLE_BRANCH=feature/cart CIRCLE_PULL_REQUEST=https://x/pull/7", "circleci feature/cart - -"),
        // so is a pull request from one's own repository: it runs on the push of its branch
        (
            "CIRCLECI=true CIRCLE_BRANCH=feature/cart CIRCLE_PULL_REQUEST=https://x/pull/7 \
             CIRCLE_PULL_REQUESTS=https://x/pull/7 CIRCLE_PR_NUMBER= CIRCLE_PR_REPONAME= CIRCLE_PR_USERNAME=",
            "circleci feature/cart - -",
        ),
        ("CIRCLECI=true CIRCLE_BRANCH=pull/7 CIRCLE_PR_NUMBER=7", "circleci pull/7 - 7!"),
        ("CIRCLECI=true CIRCLE_BRANCH=pull/7", "circleci pull/7 - 7!"),
        ("CIRCLECI=true CIRCLE_TAG=v1", "circleci - v1 -"),
    ]);
}

#[test]
fn travis() {
    table(&[
        ("TRAVIS=true TRAVIS_BRANCH=feature/cart TRAVIS_PULL_REQUEST=false", "travis feature/cart - -"),
        (
            "TRAVIS=true TRAVIS_BRANCH=trunk TRAVIS_PULL_REQUEST=7 TRAVIS_PULL_REQUEST_BRANCH=feature/cart \
             TRAVIS_PULL_REQUEST_SLUG=team/demo TRAVIS_REPO_SLUG=team/demo",
            "travis feature/cart - 7",
        ),
        (
            "TRAVIS=true TRAVIS_BRANCH=trunk TRAVIS_PULL_REQUEST=7 TRAVIS_PULL_REQUEST_BRANCH=trunk \
             TRAVIS_PULL_REQUEST_SLUG=someone/demo TRAVIS_REPO_SLUG=team/demo",
            "travis trunk - 7!",
        ),
        ("TRAVIS=true TRAVIS_BRANCH=v1 TRAVIS_TAG=v1 TRAVIS_PULL_REQUEST=false", "travis - v1 -"),
    ]);
}

#[test]
fn buildkite() {
    let repository = "BUILDKITE_REPO=git@github.com:team/demo.git";
    for (rest, expected) in [
        (
            "BUILDKITE_BRANCH=feature/cart BUILDKITE_PULL_REQUEST=false BUILDKITE_COMMIT=HEAD",
            "buildkite feature/cart - -",
        ),
        (
            "BUILDKITE_BRANCH=feature/cart BUILDKITE_PULL_REQUEST=7 BUILDKITE_PULL_REQUEST_REPO=git://github.com/team/demo.git",
            "buildkite feature/cart - 7",
        ),
        (
            "BUILDKITE_BRANCH=someone:cart BUILDKITE_PULL_REQUEST=7 BUILDKITE_PULL_REQUEST_REPO=git://github.com/someone/demo.git",
            "buildkite someone:cart - 7!",
        ),
        ("BUILDKITE_BRANCH=v1 BUILDKITE_TAG=v1 BUILDKITE_PULL_REQUEST=false", "buildkite - v1 -"),
    ] {
        table(&[(&format!("BUILDKITE=true {repository} {rest}"), expected)]);
    }
    assert_eq!(detect("BUILDKITE=true BUILDKITE_COMMIT=HEAD").commit, None);
}

#[test]
fn bitbucket() {
    table(&[
        ("BITBUCKET_BUILD_NUMBER=1 BITBUCKET_BRANCH=feature/cart", "bitbucket feature/cart - -"),
        ("BITBUCKET_BUILD_NUMBER=1 BITBUCKET_BRANCH=feature/cart BITBUCKET_PR_ID=7", "bitbucket feature/cart - 7"),
        // a fork's runs in the fork's own pipelines, where it is none of ours
        (
            "BITBUCKET_BUILD_NUMBER=1 BITBUCKET_BRANCH=cart BITBUCKET_PR_ID=7 BITBUCKET_REPO_FULL_NAME=someone/demo \
             BITBUCKET_PR_DESTINATION_BRANCH=trunk",
            "bitbucket cart - 7",
        ),
        ("BITBUCKET_BUILD_NUMBER=1 BITBUCKET_TAG=v1", "bitbucket - v1 -"),
    ]);
}

#[test]
fn drone() {
    table(&[
        ("DRONE=true DRONE_BRANCH=feature/cart DRONE_BUILD_EVENT=push", "drone feature/cart - -"),
        (
            "DRONE=true DRONE_BRANCH=trunk DRONE_PULL_REQUEST=7 DRONE_SOURCE_BRANCH=feature/cart",
            "drone feature/cart - 7!",
        ),
        // nothing tells a fork's from one's own
        (
            "DRONE=true DRONE_BRANCH=trunk DRONE_COMMIT_BRANCH=trunk DRONE_PULL_REQUEST=8 DRONE_SOURCE_BRANCH=trunk \
             DRONE_COMMIT_REF=refs/pull/8/head",
            "drone trunk - 8!",
        ),
        ("DRONE=true DRONE_BRANCH=trunk DRONE_TAG=v1 DRONE_BUILD_EVENT=tag", "drone - v1 -"),
        ("DRONE=true DRONE_BRANCH=refs/tags/v1 DRONE_TAG=v1", "drone - v1 -"),
        ("DRONE=true DRONE_BRANCH=refs/tags/v1", "drone - v1 -"),
    ]);
}

#[test]
fn woodpecker() {
    table(&[
        ("CI=woodpecker CI_COMMIT_BRANCH=feature/cart CI_PIPELINE_URL=x", "woodpecker feature/cart - -"),
        (
            "CI=woodpecker CI_COMMIT_BRANCH=trunk CI_COMMIT_PULL_REQUEST=7 CI_COMMIT_SOURCE_BRANCH=feature/cart",
            "woodpecker feature/cart - 7!",
        ),
        // nothing tells a fork's from one's own; `CI_COMMIT_BRANCH` is the target, and must not count
        (
            "CI=woodpecker CI_COMMIT_BRANCH=trunk CI_COMMIT_PULL_REQUEST=8 CI_COMMIT_SOURCE_BRANCH=trunk \
             CI_COMMIT_TARGET_BRANCH=trunk",
            "woodpecker trunk - 8!",
        ),
        ("CI=woodpecker CI_COMMIT_BRANCH=trunk CI_COMMIT_PULL_REQUEST=9", "woodpecker - - 9!"),
        ("CI=woodpecker CI_COMMIT_BRANCH=v1 CI_COMMIT_TAG=v1", "woodpecker - v1 -"),
    ]);
}

#[test]
fn azure() {
    table(&[
        ("TF_BUILD=True BUILD_SOURCEBRANCH=refs/heads/user/main BUILD_SOURCEBRANCHNAME=main", "azure user/main - -"),
        (
            "TF_BUILD=True BUILD_SOURCEBRANCH=refs/pull/7/merge SYSTEM_PULLREQUEST_PULLREQUESTID=7 \
             SYSTEM_PULLREQUEST_SOURCEBRANCH=refs/heads/feature/cart SYSTEM_PULLREQUEST_ISFORK=False",
            "azure feature/cart - 7",
        ),
        (
            "TF_BUILD=True BUILD_SOURCEBRANCH=refs/pull/7/merge SYSTEM_PULLREQUEST_PULLREQUESTNUMBER=7 \
             SYSTEM_PULLREQUEST_SOURCEBRANCH=feature/cart SYSTEM_PULLREQUEST_ISFORK=True",
            "azure feature/cart - 7!",
        ),
        ("TF_BUILD=True BUILD_SOURCEBRANCH=refs/tags/v1 BUILD_SOURCEBRANCHNAME=v1", "azure - v1 -"),
    ]);
}

#[test]
fn codebuild() {
    table(&[
        ("CODEBUILD_BUILD_ID=a:b CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/feature/cart", "codebuild feature/cart - -"),
        (
            "CODEBUILD_BUILD_ID=a:b CODEBUILD_WEBHOOK_TRIGGER=pr/7 CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/feature/cart \
             CODEBUILD_WEBHOOK_EVENT=PULL_REQUEST_UPDATED",
            "codebuild feature/cart - 7!",
        ),
        // from one's own repository: its variables are those of a fork's, so nothing clears it
        (
            "CODEBUILD_BUILD_ID=a:b CODEBUILD_WEBHOOK_TRIGGER=pr/8 CODEBUILD_SOURCE_VERSION=pr/8 \
             CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/feature/own CODEBUILD_WEBHOOK_BASE_REF=refs/heads/trunk \
             CODEBUILD_WEBHOOK_EVENT=PULL_REQUEST_CREATED CODEBUILD_WEBHOOK_ACTOR_ACCOUNT_ID=1",
            "codebuild feature/own - 8!",
        ),
        // started by hand for a fork's, and merged: then it is a push
        ("CODEBUILD_BUILD_ID=a:b CODEBUILD_SOURCE_VERSION=pr/7", "codebuild - - 7!"),
        (
            "CODEBUILD_BUILD_ID=a:b CODEBUILD_WEBHOOK_TRIGGER=pr/7 CODEBUILD_WEBHOOK_EVENT=PULL_REQUEST_MERGED \
             CODEBUILD_WEBHOOK_HEAD_REF=refs/heads/feature/cart CODEBUILD_WEBHOOK_BASE_REF=refs/heads/trunk",
            "codebuild feature/cart - -",
        ),
        ("CODEBUILD_BUILD_ID=a:b CODEBUILD_WEBHOOK_HEAD_REF=refs/tags/v1", "codebuild - v1 -"),
        ("CODEBUILD_BUILD_ID=a:b CODEBUILD_SOURCE_VERSION=refs/heads/x", "codebuild x - -"),
    ]);
}

#[test]
fn teamcity() {
    table(&[
        ("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/build", "teamcity feature/cart - -"),
        ("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/default", "teamcity trunk - -"),
        ("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/request", "teamcity feature/cart - 7!"),
        ("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/fork", "teamcity trunk - 7!"),
        ("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/tag", "teamcity - v1 -"),
        ("TEAMCITY_VERSION=1", "teamcity - - -"),
    ]);
    let facts = detect("TEAMCITY_VERSION=1 TEAMCITY_BUILD_PROPERTIES_FILE=/teamcity/default");
    assert_eq!(facts.default_branch.map(|branch| branch.value).as_deref(), Some("trunk"));
}

#[test]
fn bamboo() {
    table(&[
        ("bamboo_planKey=A bamboo_planRepository_branchName=feature/cart", "bamboo feature/cart - -"),
        (
            "bamboo_planKey=A bamboo_planRepository_branchName=trunk bamboo_repository_pr_key=7 \
             bamboo_repository_pr_sourceBranch=feature/cart",
            "bamboo feature/cart - 7!",
        ),
        // nothing tells a fork's from one's own
        (
            "bamboo_planKey=A bamboo_planRepository_branch=trunk bamboo_repository_pr_key=8 \
             bamboo_repository_pr_sourceBranch=refs/heads/trunk bamboo_repository_pr_targetBranch=trunk",
            "bamboo trunk - 8!",
        ),
        ("bamboo_planKey=A bamboo_planRepository_branchName=refs/tags/v1", "bamboo - v1 -"),
    ]);
}

#[test]
fn jenkins() {
    table(&[
        ("JENKINS_URL=x GIT_BRANCH=origin/feature/cart", "jenkins feature/cart - -"),
        ("JENKINS_URL=x BRANCH_NAME=feature/cart GIT_BRANCH=feature/cart", "jenkins feature/cart - -"),
        ("JENKINS_URL=x BRANCH_NAME=PR-7 CHANGE_ID=7 CHANGE_BRANCH=feature/cart", "jenkins feature/cart - 7"),
        ("JENKINS_URL=x BRANCH_NAME=PR-7 CHANGE_ID=7 CHANGE_BRANCH=cart CHANGE_FORK=someone", "jenkins cart - 7!"),
        ("JENKINS_URL=x BRANCH_NAME=v1 TAG_NAME=v1", "jenkins - v1 -"),
        ("JENKINS_URL=x GIT_BRANCH=detached", "jenkins - - -"),
    ]);
    let facts = detect("JENKINS_URL=x BRANCH_NAME=trunk BRANCH_IS_PRIMARY=true");
    assert_eq!(facts.default_branch.map(|branch| branch.value).as_deref(), Some("trunk"));
}

#[test]
fn cloud_build() {
    table(&[
        ("BUILD_ID=1 PROJECT_ID=p BRANCH_NAME=feature/cart", "cloud-build feature/cart - -"),
        (
            "BUILD_ID=1 PROJECT_ID=p BRANCH_NAME=x _PR_NUMBER=7 _HEAD_BRANCH=feature/cart \
             _HEAD_REPO_URL=https://github.com/team/demo REPO_FULL_NAME=team/demo",
            "cloud-build feature/cart - 7",
        ),
        (
            "BUILD_ID=1 PROJECT_ID=p _PR_NUMBER=7 _HEAD_BRANCH=feature/cart \
             _HEAD_REPO_URL=https://github.com/someone/demo REPO_FULL_NAME=team/demo",
            "cloud-build feature/cart - 7!",
        ),
        ("BUILD_ID=1 PROJECT_ID=p TAG_NAME=v1", "cloud-build - v1 -"),
        ("BUILDER_OUTPUT=/builder/outputs", "cloud-build - - -"),
    ]);
}

#[test]
fn a_variable_tells_which_system_it_is() {
    for (text, marker) in [
        ("GITHUB_ACTIONS=true", "GITHUB_ACTIONS"),
        ("CI=true GITLAB_CI=true", "GITLAB_CI"),
        ("CIRCLECI=true", "CIRCLECI"),
        ("TRAVIS=true", "TRAVIS"),
        ("BUILDKITE=true", "BUILDKITE"),
        ("BITBUCKET_BUILD_NUMBER=1", "BITBUCKET_BUILD_NUMBER"),
        ("DRONE=true", "DRONE"),
        ("CI=woodpecker", "CI"),
        ("TF_BUILD=True", "TF_BUILD"),
        ("CODEBUILD_BUILD_ID=a:b", "CODEBUILD_BUILD_ID"),
        ("TEAMCITY_VERSION=1", "TEAMCITY_VERSION"),
        ("bamboo_buildKey=A", "bamboo_buildKey"),
        ("JENKINS_HOME=x", "JENKINS_HOME"),
        ("BUILDER_OUTPUT=x", "BUILDER_OUTPUT"),
    ] {
        assert_eq!(detect(text).told_by, marker, "{text}");
    }
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    table(&[
        (
            "TRAVIS=true TRAVIS_BRANCH=trunk TRAVIS_TAG= TRAVIS_PULL_REQUEST= TRAVIS_PULL_REQUEST_BRANCH=",
            "travis trunk - -",
        ),
        ("DRONE=true DRONE_BRANCH=trunk DRONE_TAG= DRONE_PULL_REQUEST=", "drone trunk - -"),
        ("CI=woodpecker CI_COMMIT_BRANCH=trunk CI_COMMIT_TAG= CI_COMMIT_PULL_REQUEST=", "woodpecker trunk - -"),
        ("JENKINS_URL=x BRANCH_NAME=trunk TAG_NAME= CHANGE_ID=", "jenkins trunk - -"),
        ("GITHUB_ACTIONS=true GITHUB_REF=refs/heads/trunk GITHUB_HEAD_REF= GITHUB_BASE_REF=", "github trunk - -"),
        ("GITLAB_CI=true CI_COMMIT_BRANCH=trunk CI_COMMIT_TAG= CI_MERGE_REQUEST_IID=", "gitlab trunk - -"),
    ]);
}

#[test]
fn outside_ci_nothing_is_said() {
    let variables: Variables = [("CI", ""), ("TRAVIS", "false"), ("BUILD_ID", "dontKillMe")].into_iter().collect();
    assert_eq!(super::facts(&variables, &read), None);
}
