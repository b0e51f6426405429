//! Workloads on their way to ready.

use jiff::Timestamp;

use super::{Part, Said, State, View, counts, lead, problem};
use crate::{
    model::{Event, ObjectId, Problem, Progress, RolloutEvent, Verdict},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
    },
};

const STEP: &str = "rollout";

/// The group of rows that say what is awaited.
const AWAITED: usize = 1;
/// So many of them are shown; each workload's own row has the reason in short.
const MOST_AWAITED: usize = 5;

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

    /// The workloads to show, in the order in which they were applied; where there is no room for all, what has failed
    /// and what waits goes first.
    fn shown(&self, rows: usize) -> Vec<&Workload> {
        let counts = |workload: &&Workload| !workload.verdict.holds() || workload.progress.wanted > 0;
        let mut shown: Vec<&Workload> = self.workloads.iter().filter(counts).collect();
        if shown.len() > rows {
            shown.sort_by_key(|workload| workload.urgency());
            shown.truncate(rows.max(1));
        }
        shown
    }

    /// `and 163 more ready`, `and 170 more: 163 ready, 7 waiting`
    fn hidden(&self, shown: &[&Workload]) -> Option<String> {
        let ready_of = |workload: &Workload| usize::from(workload.verdict.holds());
        let ready: usize = self.workloads.iter().map(ready_of).sum();
        let ready = ready - shown.iter().map(|workload| ready_of(workload)).sum::<usize>();
        match self.workloads.len() - shown.len() {
            0 => None,
            hidden if hidden == ready => Some(format!("and {hidden} more ready")),
            hidden if ready == 0 => Some(format!("and {hidden} more waiting")),
            hidden => Some(format!("and {hidden} more: {ready} ready, {} waiting", hidden - ready)),
        }
    }
}

impl Workload {
    /// What has failed, what looks so, what waits, what is ready.
    fn urgency(&self) -> u8 {
        match &self.verdict {
            Verdict::Failed { .. } | Verdict::Gone { .. } => 0,
            Verdict::Suspect { .. } => 1,
            Verdict::Waiting { problem: Some(_) } => 2,
            Verdict::Waiting { problem: None } => 3,
            Verdict::Ready | Verdict::Assumed { .. } => 4,
        }
    }

    /// Since when it is under way, or how long it took.
    fn age(&self, view: &View) -> String {
        counts::whole(self.took.unwrap_or_else(|| counts::between(self.since, view.now)))
    }

    /// In a few words why it does not hold: `crash-loop`, `pulling image`.
    fn reason(&self) -> Line {
        match (&self.verdict, &self.progress.awaiting) {
            (Verdict::Failed { problem } | Verdict::Gone { problem }, _) => Line::new().failed(problem.code),
            (Verdict::Suspect { problem, .. }, _) => Line::new().attention(problem.code),
            (Verdict::Waiting { .. }, Some(awaiting)) => {
                Line::new().plain(pod_and_state(awaiting).map_or(awaiting.as_str(), |(_, state)| state))
            }
            _ => Line::new(),
        }
    }

    /// `age`: the columns of the longest age beside it.
    fn row(&self, lead: [Cell; 2], view: &View, age: usize) -> Row {
        let [sign, step] = lead;
        let name = Cell::cut(Line::new().strong(self.object.to_string()));
        let aged = |text: String| Line::new().dim(text);
        let padded = aged(format!("{:<age$}  ", self.age(view))).join(self.reason());
        let elapsed = Cell::optional(padded).or(aged(self.age(view)));
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

    /// `waiting for web-6c9f5-x2k4  pulling image (5 s)`, `service/web waits for its first ready endpoint (5 s)`
    fn awaited(&self, view: &View) -> Option<Row> {
        match &self.verdict {
            Verdict::Suspect { problem, .. } => {
                return Some(self.found(problem, Line::new().attention("looks failed")));
            }
            Verdict::Failed { problem } | Verdict::Gone { problem } => {
                return Some(self.found(problem, Line::new().failed(self.verdict.word())));
            }
            _ => {}
        }
        let awaiting = self.progress.awaiting.as_ref().filter(|_| !self.verdict.holds())?;
        let elapsed = counts::whole(counts::between(self.awaiting_since, view.now));
        let since = |text: Line| text.dim(format!(" ({elapsed})"));
        let row = match pod_and_state(awaiting) {
            Some((pod, state)) => Row::new([
                Cell::keep(Line::new().dim("waiting for")).gap(1),
                Cell::cut(pod),
                Cell::wrap(since(Line::new().plain(state))),
            ])
            .group(AWAITED),
            None => Row::text(since(Line::new().plain(self.object.to_string()).dim(" waits for ").plain(awaiting))),
        };
        Some(row.indent(4))
    }

    /// `looks failed: deployment/web does not start: ..`
    fn found(&self, problem: &Problem, how: Line) -> Row {
        let name = self.object.to_string();
        let name = if problem.text.contains(&name) { String::new() } else { format!("{name}: ") };
        Row::text(how.plain(format!(": {name}{}", problem.text))).indent(4)
    }
}

/// `pod web-6c9f5-x2k4 pulling image`: the pod, and what it does.
fn pod_and_state(awaiting: &str) -> Option<(&str, &str)> {
    awaiting.strip_prefix("pod ")?.split_once(' ')
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
        // one row says what is not shown, and two are for what is awaited
        let shown = self.shown(view.rows.saturating_sub(3).max(2));
        let age = shown.iter().map(|workload| workload.age(view).len()).max().unwrap_or(0);
        let mut rows: Vec<Row> = Vec::new();
        for (number, workload) in shown.iter().enumerate() {
            let lead = if number == 0 { lead(view.unfinished, STEP) } else { lead(Sign::None, "") };
            rows.push(workload.row(lead, view, age));
        }
        if let Some(hidden) = self.hidden(&shown) {
            rows.push(Row::text(Line::new().dim(hidden)).indent(11));
        }
        if view.unfinished == Sign::Pending {
            let room = view.rows.saturating_sub(rows.len()).min(MOST_AWAITED);
            rows.extend(shown.iter().filter_map(|workload| workload.awaited(view)).take(room));
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
