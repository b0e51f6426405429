//! What may be typed, exactly as typed.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::{
    build, completions, config, deploy, destroy, envs, history, man, plan, push, release, render, rollback, schema,
    status, switch, unlock,
};
use crate::{
    config::Flags,
    report::{Output, Verbosity},
};

const EXIT_CODES: &str = "\
Exit codes:
    0  done                                      6  rollout or hook failed
    1  a bug in shipway                          7  timed out
    2  usage, configuration, git or manifests    8  lock held by another
    3  build failed                              9  superseded by a newer commit
    4  registry: login, push, image not there   10  plan --exit-code: changes
    5  cluster unreachable, or it refused      130  interrupted";

/// takes a git commit to running pods: builds, pushes, deploys, proves, switches
#[derive(Debug, Parser)]
#[command(
    name = "shipway",
    version,
    disable_help_subcommand = true,
    disable_help_flag = true,
    disable_version_flag = true
)]
#[command(after_help = EXIT_CODES, max_term_width = 80, subcommand_value_name = "COMMAND")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) global: Global,

    /// print the version
    #[arg(short = 'V', long, help_heading = "Options", action = ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Build(build::Build),
    Push(push::Push),
    Deploy(deploy::Deploy),
    Switch(switch::Switch),
    Release(release::Release),
    Plan(plan::Plan),
    Render(render::Render),
    Status(status::Status),
    Envs(envs::Envs),
    Unlock(unlock::Unlock),
    History(history::History),
    Rollback(rollback::Rollback),
    Destroy(destroy::Destroy),
    Config(config::Config),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// environment, instead of the one that the branch chooses
    #[arg(long, global = true, value_name = "NAME")]
    env: Option<String>,

    /// branch, instead of the one that CI or git names
    #[arg(long, global = true, value_name = "NAME")]
    branch: Option<String>,

    /// commit, instead of the one checked out
    #[arg(long, global = true, value_name = "SHA")]
    commit: Option<String>,

    /// image tag, instead of {branch}-{sha8}
    #[arg(long, global = true, value_name = "TAG")]
    tag: Option<String>,

    /// namespace, instead of the environment's
    #[arg(long, global = true, value_name = "NAME")]
    namespace: Option<String>,

    /// context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    context: Option<String>,

    /// URL of the API server
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,

    /// configuration file [default: shipway.yaml in the repository's root]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// run as if started in this folder
    #[arg(short = 'C', long, global = true, value_name = "FOLDER")]
    pub(super) directory: Option<PathBuf>,

    /// how to tell what happens; auto is live on a terminal outside of CI, else plain
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORM")]
    output: OutputForm,

    /// write a page about the run to this file
    #[arg(long, global = true, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,

    /// give up after so long without progress (90s, 10m)
    #[arg(long, global = true, value_name = "LENGTH")]
    timeout: Option<String>,

    /// agree where a person would be asked
    #[arg(long, global = true)]
    yes: bool,

    /// tell more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// tell only findings and the last line
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// print help
    #[arg(short = 'h', long, global = true, action = ArgAction::HelpShort)]
    help: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum OutputForm {
    #[default]
    Auto,
    Live,
    Plain,
    Json,
}

/// Manifests from another renderer.
#[derive(Debug, Default, Args)]
pub(super) struct Manifests {
    /// manifests instead of the app's own; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// What is let through that is refused otherwise.
#[derive(Debug, Default, Args)]
pub(super) struct Allowances {
    /// deploy uncommitted changes to production too
    #[arg(long)]
    pub(super) allow_dirty: bool,

    /// deploy a commit that is older than the deployed one
    #[arg(long)]
    pub(super) allow_older: bool,
}

/// Which hooks run.
#[derive(Debug, Default, Args)]
pub(super) struct Hooks {
    /// run hooks again that have succeeded with the same image and text
    #[arg(long)]
    rerun_hooks: bool,
}

impl Hooks {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.rerun_hooks = self.rerun_hooks;
    }
}

/// Whose objects are taken over.
#[derive(Debug, Default, Args)]
pub(super) struct Adoption {
    /// take over what another deployer owns, as `helm`
    #[arg(long, value_name = "MANAGER")]
    adopt: Vec<String>,
}

impl Adoption {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.adopt.clone_from(&self.adopt);
    }
}

/// How far pruning goes.
#[derive(Debug, Default, Args)]
pub(super) struct Pruning {
    /// with -f too, delete what is gone from the manifests
    #[arg(long)]
    prune: bool,

    /// delete volumes, namespaces and definitions too
    #[arg(long)]
    prune_all: bool,

    /// delete more than a few objects, and workloads of a guarded environment
    #[arg(long)]
    yes_prune: bool,
}

impl Pruning {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.prune = self.prune;
        flags.prune_all = self.prune_all;
        flags.yes_prune = self.yes_prune;
    }
}

impl Global {
    pub(super) fn flags(&self) -> Flags {
        Flags {
            env: self.env.clone(),
            branch: self.branch.clone(),
            commit: self.commit.clone(),
            tag: self.tag.clone(),
            namespace: self.namespace.clone(),
            context: self.context.clone(),
            server: self.server.clone(),
            timeout: self.timeout.clone(),
            yes: self.yes,
            allow_dirty: false,
            allow_older: false,
            prune: false,
            prune_all: false,
            yes_prune: false,
            adopt: Vec::new(),
            rerun_hooks: false,
        }
    }

    pub(super) fn output(&self) -> Output {
        match self.output {
            OutputForm::Auto => Output::Auto,
            OutputForm::Live => Output::Live,
            OutputForm::Plain => Output::Plain,
            OutputForm::Json => Output::Json,
        }
    }

    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }
}

impl Allowances {
    pub(super) fn lay_over(&self, flags: &mut Flags) {
        flags.allow_dirty = self.allow_dirty;
        flags.allow_older = self.allow_older;
    }
}
