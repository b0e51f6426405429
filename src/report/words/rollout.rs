//! Workloads on their way to ready.

mod live;

pub(super) use live::open;

use super::{Said, counts, problem};
use crate::{
    model::{ObjectId, Progress, RolloutEvent, Verdict},
    report::style::{Line, Sign},
};

const STEP: &str = "rollout";

pub(super) fn said(event: &RolloutEvent) -> Vec<Said> {
    match event {
        RolloutEvent::Changed { object, verdict, progress, .. } => vec![changed(object, verdict, progress)],
        RolloutEvent::Waiting { object, progress, seconds } => {
            let text = Line::new().strong(object.to_string()).join(waiting(progress));
            vec![Said::new("waiting", Sign::Pending, text.dim(format!(" ({})", counts::whole(*seconds))))]
        }
        RolloutEvent::Pod { pod, step, .. } => {
            let text = format!("{pod} {}", step.word());
            vec![Said::new("pod", Sign::None, Line::new().dim(text)).detail()]
        }
        RolloutEvent::Log { object, lines, .. } => {
            let line = |line: &String| Line::new().dim(format!("{object} | ")).plain(line.as_str());
            lines.iter().map(|text| Said::new("log", Sign::None, line(text))).collect()
        }
        RolloutEvent::Warning { problem } => {
            vec![Said::new(STEP, Sign::Attention, problem::warning(problem)).attention()]
        }
        RolloutEvent::Settling { seconds } => {
            vec![Said::new(STEP, Sign::Pending, format!("all ready, watched for {} more", counts::whole(*seconds)))]
        }
        RolloutEvent::Proof { image, proven, pods } => {
            // those that are not proven may run it as well
            let run = if proven == pods { " pods run " } else { " pods are proven to run " };
            let text = Line::new().strong(format!("{proven}/{pods}")).plain(run).strong(image.short());
            let sign = if proven == pods { Sign::Done } else { Sign::Pending };
            vec![Said::new("proof", sign, text)]
        }
    }
}

fn changed(object: &ObjectId, verdict: &Verdict, progress: &Progress) -> Said {
    let name = Line::new().strong(object.to_string());
    match verdict {
        Verdict::Ready => {
            let counted =
                if progress.wanted > 0 { format!(": {}/{}", progress.ready, progress.wanted) } else { String::new() };
            Said::new(STEP, Sign::Done, name.good(" ready").plain(counted))
        }
        Verdict::Waiting { problem } => {
            let text = name.join(waiting(progress));
            let why = problem.as_ref().filter(|_| progress.awaiting.is_none());
            Said::new(STEP, Sign::Pending, why.iter().fold(text, |text, why| text.plain(format!(": {}", why.text))))
        }
        Verdict::Suspect { problem, grace } => {
            let about = format!("{object} ");
            let why = problem.text.strip_prefix(&about).unwrap_or(&problem.text);
            let text = name.attention(" looks failed").plain(format!(": {why}"));
            Said::new(STEP, Sign::Attention, text.dim(format!(" (failed if so for {})", counts::whole(*grace))))
                .attention()
        }
        Verdict::Assumed { why } => {
            Said::new(STEP, Sign::Done, name.plain(" applied").dim(format!(", taken as good: {why}")))
        }
        Verdict::Failed { problem } => {
            // the end tells it in full, with what explains it
            Said::new(STEP, Sign::Failed, name.failed(" failed").plain(format!(": {}", problem.code))).attention()
        }
        Verdict::Gone { .. } => Said::new(STEP, Sign::Failed, name.failed(" is gone")).attention(),
    }
}

/// ` 2/3 new ready · 1 old: pod web-6c9f5-x2k4 pulling image`
fn waiting(progress: &Progress) -> Line {
    let text = match counted(progress) {
        Some(counted) => Line::new().plain(" ").join(counted),
        None => Line::new().plain(" waiting"),
    };
    progress.awaiting.iter().fold(text, |text, awaiting| text.plain(format!(": {awaiting}")))
}

/// `2/3 new ready · 1 old`
fn counted(progress: &Progress) -> Option<Line> {
    if progress.wanted == 0 && progress.old == 0 {
        return None;
    }
    let line = Line::new().plain(format!("{}/{} new ready", progress.ready, progress.wanted));
    Some(if progress.old > 0 { line.dim(" · ").plain(format!("{} old", progress.old)) } else { line })
}
