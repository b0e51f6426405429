//! One run: surroundings, the verb, the last word.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

use super::{
    arguments::{Arguments, Command, Global},
    crash, signals,
};
use crate::{
    config::Flags,
    model::{Answer, Ask, Event, Exit, Listener, Outcome, Problem, Redactor, Stamped, Stop, Variables},
    operations::Context,
    report::{self, Report, Reporter, Teller, Terminal, Terminals, Wanted},
};

/// Does what was typed and tells it; the exit code is the outcome's.
pub(super) fn run(arguments: Arguments, variables: Variables) -> Exit {
    let redactor = Redactor::default();
    crash::install(redactor.clone());
    let terminals = Terminals::look();
    let wanted = Wanted {
        output: arguments.global.output(),
        verbosity: arguments.global.verbosity(),
        variables: &variables,
        terminals,
        redactor: redactor.clone(),
        page: arguments.global.report.as_deref(),
    };
    let mut reporter = match report::reporter(&wanted) {
        Ok(reporter) => reporter,
        Err(error) => return no_page(&wanted, &error),
    };
    match at_once(&arguments.command) {
        Some(answer) => {
            let outcome = answer.map_or_else(|error| failed(&error), answered);
            reporter.finish(&outcome);
            outcome.exit
        }
        None => long(arguments, Surroundings { variables, redactor, terminals }, reporter),
    }
}

/// Told before anything is done: a run whose report is lost cannot be had again.
fn no_page(wanted: &Wanted<'_>, error: &std::io::Error) -> Exit {
    let file = wanted.page.map(|page| page.display().to_string()).unwrap_or_default();
    let problem = Problem::new("report", Exit::Input, format!("{file} cannot be written: {error}"))
        .hint("name a file in a folder that is there: `--report report.html`");
    if let Ok(mut reporter) = report::reporter(&Wanted { page: None, redactor: wanted.redactor.clone(), ..*wanted }) {
        reporter.finish(&Outcome::failed(problem));
    }
    Exit::Input
}

struct Surroundings {
    variables: Variables,
    redactor: Redactor,
    terminals: Terminals,
}

/// The answer of a command that asks nobody.
fn at_once(command: &Command) -> Option<Result<Answer>> {
    match command {
        Command::Schema(schema) => Some(Ok(schema.answer())),
        Command::Completions(completions) => Some(Ok(completions.answer())),
        Command::Man(man) => Some(man.answer()),
        _ => None,
    }
}

fn answered(answer: Answer) -> Outcome {
    Outcome { answer, ..Outcome::new(Exit::Done) }
}

fn failed(error: &anyhow::Error) -> Outcome {
    Outcome::failed(Problem::new("surroundings", Exit::Input, format!("{error:#}")))
}

/// A command that talks to git, engine, registry or cluster. The report runs on a thread of its own until the last word.
fn long(arguments: Arguments, surroundings: Surroundings, reporter: Box<dyn Reporter>) -> Exit {
    let start = Timestamp::now();
    let report = match Report::start(reporter) {
        Ok(report) => report,
        Err(error) => {
            report::emergency(&format!("error[surroundings]: no thread to tell on: {error}"), &surroundings.redactor);
            return Exit::Input;
        }
    };
    let mut outcome = verb(arguments, surroundings, &report.teller()).unwrap_or_else(|error| failed(&error));
    outcome.seconds = Timestamp::now().duration_since(start).as_secs_f64();
    let exit = outcome.exit;
    report.finish(outcome);
    exit
}

/// Stamps what happens, and hands it to the report, which removes secrets from all it writes.
struct Stamping(Teller);

impl Listener for Stamping {
    fn on(&self, event: Event) {
        self.0.tell(Stamped { v: 1, at: Timestamp::now(), event });
    }

    fn is_heard(&self) -> bool {
        self.0.is_heard()
    }
}

fn verb(arguments: Arguments, surroundings: Surroundings, teller: &Teller) -> Result<Outcome> {
    // kube and the registry share one TLS provider; the second call of a process changes nothing
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Arguments { command, global, .. } = arguments;
    let listener: Arc<dyn Listener> = Arc::new(Stamping(teller.clone()));
    let stop = Stop::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads to run on")?;
    {
        let _entered = runtime.enter();
        // a look writes nothing, so there is nothing to say of its end
        let told = (!matches!(command, Command::Status(_))).then(|| Arc::clone(&listener));
        signals::listen(stop.clone(), told, surroundings.redactor.clone()).context("signals cannot be listened for")?;
        signals::tell_resumed(teller.clone()).context("signals cannot be listened for")?;
    }
    let Surroundings { variables, redactor, terminals } = surroundings;
    let can_ask = terminals.input && terminals.error;
    let ask = can_ask.then(|| Arc::new(Terminal::new(teller.clone(), stop.clone())) as Arc<dyn Ask>);
    let context = Context {
        directory: directory(&global)?,
        config: global.config.clone(),
        flags: flags(&global, &command),
        variables,
        listener,
        redactor,
        stop,
        ask,
    };
    let outcome = runtime.block_on(dispatch(command, &context));
    // a thread that reads standard input cannot be cancelled
    runtime.shutdown_background();
    Ok(outcome)
}

fn directory(global: &Global) -> Result<std::path::PathBuf> {
    match &global.directory {
        Some(directory) => Ok(directory.clone()),
        None => std::env::current_dir().context("the folder shipway was started in is gone"),
    }
}

fn flags(global: &Global, command: &Command) -> Flags {
    let mut flags = global.flags();
    match command {
        Command::Deploy(deploy) => {
            deploy.allowances.lay_over(&mut flags);
            deploy.pruning.lay_over(&mut flags);
            deploy.adoption.lay_over(&mut flags);
            deploy.hooks.lay_over(&mut flags);
        }
        Command::Release(release) => {
            release.allowances.lay_over(&mut flags);
            release.pruning.lay_over(&mut flags);
            release.adoption.lay_over(&mut flags);
            release.hooks.lay_over(&mut flags);
        }
        Command::Rollback(rollback) => rollback.pruning.lay_over(&mut flags),
        Command::Destroy(destroy) => destroy.lay_over(&mut flags),
        Command::Plan(plan) => {
            plan.allowances.lay_over(&mut flags);
            plan.pruning.lay_over(&mut flags);
            plan.adoption.lay_over(&mut flags);
            plan.hooks.lay_over(&mut flags);
        }
        _ => {}
    }
    flags
}

async fn dispatch(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Build(build) => build.run(context).await,
        Command::Push(push) => push.run(context).await,
        Command::Deploy(deploy) => deploy.run(context).await,
        Command::Switch(switch) => switch.run(context).await,
        Command::Release(release) => release.run(context).await,
        Command::Plan(plan) => plan.run(context).await,
        Command::Render(render) => render.run(context).await,
        Command::Status(status) => status.run(context).await,
        Command::Envs(envs) => envs.run(context).await,
        Command::Unlock(unlock) => unlock.run(context).await,
        Command::History(history) => history.run(context).await,
        Command::Rollback(rollback) => rollback.run(context).await,
        Command::Destroy(destroy) => destroy.run(context).await,
        Command::Config(config) => config.run(context).await,
        Command::Schema(schema) => answered(schema.answer()),
        Command::Completions(completions) => answered(completions.answer()),
        Command::Man(man) => man.answer().map_or_else(|error| failed(&error), answered),
    }
}
