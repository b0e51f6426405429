//! All workloads of a deploy on the screen, a line each.

use jiff::Timestamp;

use super::{STEP, counted, counts};
use crate::{
    model::{Event, ObjectId, Problem, Progress, RolloutEvent, Verdict},
    report::{
        layout::{Cell, Row},
        style::{Line, Sign},
        words::{Part, State, View, lead},
    },
};

/// The group of rows that say what is awaited.
const AWAITED: usize = 1;
/// So many of them are shown; each workload's own row has the reason in short.
const MOST_AWAITED: usize = 5;
/// Rows that are left for them at least.
const FEWEST_AWAITED: usize = 2;
/// Rows that stay on the screen when the run has ended before all is ready.
const MOST_LEFT: usize = 24;
/// Below this is what has failed or looks so.
const URGENT: u8 = 2;

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

pub(in crate::report::words) fn open(at: Timestamp, event: &RolloutEvent) -> Option<Box<dyn Part>> {
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

    /// The workloads to show, in the order in which they were applied; where there is no room for all, what does not hold,
    /// and of that what has failed first.
    fn shown(&self, rows: usize) -> Vec<&Workload> {
        let counts = |workload: &&Workload| !workload.verdict.holds() || workload.progress.wanted > 0;
        let mut shown: Vec<&Workload> = self.workloads.iter().filter(counts).collect();
        if shown.len() > rows {
            shown.retain(|workload| !workload.verdict.holds());
            shown.sort_by_key(|workload| workload.urgency());
            shown.truncate(rows.max(1));
        }
        shown
    }

    /// `and 163 more ready`, `and 170 more: 4 failed, 3 waiting, 163 ready`
    fn hidden(&self, shown: &[&Workload]) -> Option<String> {
        let hidden = self.workloads.len() - shown.len();
        let count = |is_so: fn(&Workload) -> bool| {
            let all = self.workloads.iter().filter(|workload| is_so(workload)).count();
            all - shown.iter().filter(|workload| is_so(workload)).count()
        };
        let (failed, ready) = (count(Workload::has_failed), count(|workload| workload.verdict.holds()));
        let counted = [(failed, "failed"), (hidden - failed - ready, "waiting"), (ready, "ready")];
        let counted: Vec<_> = counted.into_iter().filter(|(count, _)| *count > 0).collect();
        match counted.as_slice() {
            [] => None,
            [(_, word)] => Some(format!("and {hidden} more {word}")),
            several => {
                let several: Vec<String> = several.iter().map(|(count, word)| format!("{count} {word}")).collect();
                Some(format!("and {hidden} more: {}", several.join(", ")))
            }
        }
    }

    /// What does not hold: first what has failed or looks so, one of those alike with their count.
    fn open(&self) -> Vec<(&Workload, usize)> {
        let mut open: Vec<(&Workload, usize)> = Vec::new();
        let mut order: Vec<&Workload> = self.workloads.iter().filter(|workload| !workload.verdict.holds()).collect();
        order.sort_by_key(|workload| workload.urgency());
        for workload in order {
            match open.iter_mut().find(|(known, _)| workload.is_like(known)) {
                Some((_, count)) => *count += 1,
                None => open.push((workload, 1)),
            }
        }
        open
    }
}

impl Workload {
    /// What has failed, what looks so (both are below [`URGENT`]), what waits, what is ready.
    fn urgency(&self) -> u8 {
        match &self.verdict {
            Verdict::Failed { .. } | Verdict::Gone { .. } => 0,
            Verdict::Suspect { .. } => 1,
            Verdict::Waiting { problem: Some(_) } => 2,
            Verdict::Waiting { problem: None } => 3,
            Verdict::Ready | Verdict::Assumed { .. } => 4,
        }
    }

    fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed { .. } | Verdict::Gone { .. })
    }

    /// True where both have failed, or look so, for the same reason.
    fn is_like(&self, other: &Self) -> bool {
        let code = |workload: &Self| match &workload.verdict {
            Verdict::Failed { problem } | Verdict::Gone { problem } | Verdict::Suspect { problem, .. } => {
                Some(problem.code)
            }
            _ => None,
        };
        self.urgency() == other.urgency() && code(self).is_some() && code(self) == code(other)
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
        let padded = || aged(format!("{:<age$}  ", self.age(view))).join(self.reason());
        // of what is wrong the reason says more than the age
        let is_wrong = self.urgency() < URGENT;
        let last =
            if is_wrong { Cell::optional(self.reason()) } else { Cell::optional(padded()).or(aged(self.age(view))) };
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
                Row::new([sign, step, name, Cell::keep(bar), Cell::keep(counted), last])
            }
            None => Row::new([sign, step, name, Cell::keep(word), Cell::keep(""), last]),
        }
    }

    /// `waiting for web-6c9f5-x2k4  pulling image (5 s)`, `service/web waits for its first ready endpoint (5 s)`; so many
    /// are alike.
    fn awaited(&self, view: &View, count: usize) -> Option<Row> {
        match &self.verdict {
            Verdict::Suspect { problem, .. } => {
                return Some(self.found(problem, Line::new().attention("looks failed"), count));
            }
            Verdict::Failed { problem } | Verdict::Gone { problem } => {
                return Some(self.found(problem, Line::new().failed(self.verdict.word()), count));
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

    /// `looks failed: deployment/web does not start: .. (and 4 more alike)`
    fn found(&self, problem: &Problem, how: Line, count: usize) -> Row {
        let name = self.object.to_string();
        let name = if problem.text.contains(&name) { String::new() } else { format!("{name}: ") };
        let alike = if count > 1 { counts::alike(count) } else { String::new() };
        Row::text(how.plain(format!(": {name}{}", problem.text)).dim(alike)).indent(4)
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
        let is_under_way = view.unfinished == Sign::Pending;
        let open = if is_under_way { self.open() } else { Vec::new() };
        let wrong = open.iter().filter(|(workload, _)| workload.urgency() < URGENT).count();
        let told = wrong.clamp(FEWEST_AWAITED, MOST_AWAITED);
        // one row says what is not shown
        let shown = self.shown(if is_under_way { view.rows.saturating_sub(told + 1).max(2) } else { MOST_LEFT });
        let age = shown.iter().filter(|w| w.urgency() >= URGENT).map(|w| w.age(view).len()).max().unwrap_or(0);
        let mut rows: Vec<Row> = Vec::new();
        for (number, workload) in shown.iter().enumerate() {
            let lead = if number == 0 { lead(view.unfinished, STEP) } else { lead(Sign::None, "") };
            rows.push(workload.row(lead, view, age));
        }
        if let Some(hidden) = self.hidden(&shown) {
            rows.push(Row::text(Line::new().dim(hidden)).indent(11));
        }
        let room = view.rows.saturating_sub(rows.len()).min(MOST_AWAITED);
        rows.extend(open.iter().filter_map(|(workload, count)| workload.awaited(view, *count)).take(room));
        if let Some((since, seconds)) = self.settling {
            let left = (seconds - counts::between(since, view.now)).max(0.0);
            rows.push(
                Row::text(Line::new().dim(format!("all ready, watched for {} more", counts::whole(left)))).indent(4),
            );
        }
        rows
    }
}
