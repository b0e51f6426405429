//! Workloads on their way to ready.

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead, problem};
use crate::{
    model::{Event, ObjectId, Progress, RolloutEvent, Verdict},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
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
            let text = name.attention(" looks failed").plain(format!(": {}", problem.text));
            Said::new(STEP, Sign::Attention, text.dim(format!(" (failed if so for {})", counts::whole(*grace))))
                .attention()
        }
        Verdict::Assumed { why } => {
            Said::new(STEP, Sign::Done, name.plain(" applied").dim(format!(", taken as good: {why}")))
        }
        Verdict::Failed { problem } => {
            Said::new(STEP, Sign::Failed, name.failed(" failed").plain(format!(": {}", problem.text))).attention()
        }
        Verdict::Gone { problem } => {
            Said::new(STEP, Sign::Failed, name.failed(" is gone").plain(format!(": {}", problem.text))).attention()
        }
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

struct Workload {
    object: ObjectId,
    verdict: Verdict,
    progress: Progress,
    since: Timestamp,
    /// When what is awaited last changed.
    awaiting_since: Timestamp,
    /// How long it took, once it holds.
    took: Option<f64>,
}

/// All workloads of a deploy, until they hold.
struct Rollout {
    since: Timestamp,
    last: Timestamp,
    workloads: Vec<Workload>,
    /// Since when, and for how many seconds, all that is ready has to stay so.
    settling: Option<(Timestamp, f64)>,
    finished: bool,
}

pub(super) fn open(at: Timestamp, event: &RolloutEvent) -> Option<Box<dyn Part>> {
    let mut part = Rollout { since: at, last: at, workloads: Vec::new(), settling: None, finished: false };
    part.take(at, event).then(|| Box::new(part) as Box<dyn Part>)
}

impl Rollout {
    fn take(&mut self, at: Timestamp, event: &RolloutEvent) -> bool {
        match event {
            RolloutEvent::Changed { object, verdict, progress, seconds } => {
                let took = verdict.holds().then_some(*seconds);
                self.workload(at, object, progress, (verdict, took));
                self.settling = None;
            }
            // what is awaited is on the screen already
            RolloutEvent::Waiting { .. } | RolloutEvent::Pod { .. } => {}
            RolloutEvent::Settling { seconds } => self.settling = Some((at, *seconds)),
            RolloutEvent::Log { .. } | RolloutEvent::Warning { .. } | RolloutEvent::Proof { .. } => return false,
        }
        self.last = at;
        true
    }

    fn workload(
        &mut self,
        at: Timestamp,
        object: &ObjectId,
        progress: &Progress,
        (verdict, took): (&Verdict, Option<f64>),
    ) {
        match self.workloads.iter_mut().find(|workload| workload.object == *object) {
            Some(workload) => {
                if workload.progress.awaiting != progress.awaiting {
                    workload.awaiting_since = at;
                }
                workload.verdict = verdict.clone();
                workload.progress = progress.clone();
                workload.took = took;
            }
            None => self.workloads.push(Workload {
                object: object.clone(),
                verdict: verdict.clone(),
                progress: progress.clone(),
                since: at,
                awaiting_since: at,
                took,
            }),
        }
    }

    fn all_hold(&self) -> bool {
        self.workloads.iter().all(|workload| workload.verdict.holds())
    }

    /// `deployment/web 3/3, deployment/worker 2/2`, or counts where there are many.
    fn collapsed(&self) -> Row {
        let [sign, step] = lead(Sign::Done, STEP);
        let with_pods: Vec<&Workload> = self.workloads.iter().filter(|w| w.progress.wanted > 0).collect();
        let text = match with_pods.as_slice() {
            [] => Line::new().plain(format!("{} ready", counts::many(self.workloads.len(), "object"))),
            [one] => Line::new()
                .strong(one.object.to_string())
                .plain(format!(" {}/{} ready", one.progress.ready, one.progress.wanted)),
            many => {
                let pods: usize = many.iter().map(|workload| workload.progress.ready).sum();
                Line::new().plain(format!("{} workloads ready, {}", many.len(), counts::many(pods, "pod")))
            }
        };
        let took = counts::whole(counts::between(self.since, self.last));
        Row::new([sign, step, Cell::cut(text.dim(format!("   {took}")))])
    }

    /// The workloads to show: those that do not hold first go in, the rest as far as there is room.
    fn shown(&self, rows: usize) -> Vec<&Workload> {
        let mut left = rows.saturating_sub(self.workloads.iter().filter(|w| !w.verdict.holds()).count());
        let keep = |workload: &&Workload| {
            let wanted = !workload.verdict.holds() || (workload.progress.wanted > 0 && left > 0);
            left = left.saturating_sub(usize::from(wanted && workload.verdict.holds()));
            wanted
        };
        self.workloads.iter().filter(keep).take(rows.max(1)).collect()
    }
}

impl Workload {
    fn row(&self, lead: [Cell; 2], view: &View) -> Row {
        let [sign, step] = lead;
        let name = Cell::cut(Line::new().strong(self.object.to_string()));
        let elapsed = self.took.unwrap_or_else(|| counts::between(self.since, view.now));
        let elapsed = Cell::optional(Line::new().dim(counts::whole(elapsed)));
        let (Progress { ready, wanted, .. }, word) = (&self.progress, self.verdict.word());
        let word = match &self.verdict {
            Verdict::Failed { .. } | Verdict::Gone { .. } => Line::new().failed(word),
            verdict if verdict.holds() => Line::new().good(word),
            _ => Line::new().attention(word),
        };
        match counted(&self.progress) {
            Some(counted) => {
                let bar = counts::bar(*ready as u64, *wanted as u64);
                let bar = if self.verdict.holds() { Line::new().good(bar) } else { Line::new().plain(bar) };
                Row::new([sign, step, name, Cell::keep(bar), Cell::keep(counted), elapsed])
            }
            None => Row::new([sign, step, name, Cell::keep(word), Cell::keep(""), elapsed]),
        }
    }

    /// `waiting for web-6c9f5-x2k4: pulling image (5 s)`, `service/web waits for its first ready endpoint (5 s)`
    fn awaited(&self, view: &View) -> Option<Row> {
        let awaiting = self.progress.awaiting.as_ref().filter(|_| !self.verdict.holds())?;
        let elapsed = counts::whole(counts::between(self.awaiting_since, view.now));
        let text = match awaiting.strip_prefix("pod ").and_then(|pod| pod.split_once(' ')) {
            Some((pod, state)) => Line::new().dim("waiting for ").plain(format!("{pod}: {state}")),
            None => Line::new().plain(self.object.to_string()).dim(" waits for ").plain(awaiting),
        };
        Some(Row::text(text.dim(format!(" ({elapsed})"))).indent(4))
    }
}

impl Part for Rollout {
    fn on(&mut self, at: Timestamp, event: &Event) -> bool {
        matches!(event, Event::Rollout(event) if !self.finished && self.take(at, event))
    }

    fn overtaken(&mut self, by: Option<&Event>) {
        let goes_on = match by {
            Some(Event::Note(_)) => true,
            Some(Event::Rollout(event)) => matches!(**event, RolloutEvent::Warning { .. } | RolloutEvent::Log { .. }),
            _ => false,
        };
        self.finished |= !goes_on && self.all_hold();
    }

    fn state(&self) -> State {
        if self.finished { State::Finished } else { State::Running }
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        if self.finished {
            return vec![self.collapsed()];
        }
        let all = self.workloads.len();
        // half of the room is for what is awaited
        let shown = self.shown(view.rows.saturating_sub(2).max(2));
        let mut rows: Vec<Row> = Vec::new();
        for (number, workload) in shown.iter().enumerate() {
            let lead = if number == 0 { lead(view.unfinished, STEP) } else { lead(Sign::None, "") };
            rows.push(workload.row(lead, view));
        }
        let hidden = all - shown.len();
        let ready = self.workloads.iter().filter(|workload| workload.verdict.holds()).count();
        if hidden > 0 {
            rows.push(Row::text(Line::new().dim(format!("and {hidden} more; {ready} of {all} ready"))).indent(11));
        }
        if view.unfinished == Sign::Pending {
            rows.extend(
                shown.iter().filter_map(|workload| workload.awaited(view)).take(view.rows.saturating_sub(rows.len())),
            );
        }
        if let Some((since, seconds)) = self.settling {
            let left = (seconds - counts::between(since, view.now)).max(0.0);
            rows.push(
                Row::text(Line::new().dim(format!("all ready, watched for {} more", counts::whole(left)))).indent(4),
            );
        }
        rows
    }
}
