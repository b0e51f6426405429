//! What deploy would do.

use super::{apply, problem, source};
use crate::{
    model::{Change, FieldChange, Hook, HookPhase, Image, ObjectChange, Plan, Reference},
    report::{
        layout::{Cell, Row},
        style::{Line, Meaning},
    },
};

/// Groups of rows that share columns.
const FACTS: usize = 20;
const CHANGES: usize = 21;
const FIELDS: usize = 22;
const IMAGES: usize = 23;

pub(super) fn rows(plan: &Plan) -> Vec<Row> {
    let mut rows = vec![Row::new([Cell::keep("plan:").gap(1), Cell::wrap(source::place(&plan.target))])];
    rows.extend(plan.target.pull_request.as_ref().map(|request| fact("request", request.describe())));
    rows.push(fact("server", source::server(&plan.connection)));
    rows.extend(plan.images.iter().enumerate().map(|(number, image)| planned_image(number, image)));
    rows.extend(plan.color.as_ref().map(|color| fact("color", Line::new().strong(color))));
    rows.extend(hooks(&plan.hooks).map(|hooks| fact("hooks", hooks)));
    let unchanged = plan.changes.iter().filter(|change| change.change == Change::Unchanged).count();
    for change in plan.changes.iter().filter(|change| !matches!(change.change, Change::Unchanged | Change::Pruned)) {
        rows.extend(changed(change));
    }
    if unchanged > 0 {
        rows.push(listed(Change::Unchanged, Line::new().dim(format!("{unchanged} unchanged")), None));
    }
    for change in plan.changes.iter().filter(|change| change.change == Change::Pruned) {
        rows.extend(changed(change));
    }
    rows.extend(plan.order.as_ref().map(|order| fact("order", order.as_str())));
    rows.push(fact("lock", plan.lock.as_str()));
    for warning in &plan.warnings {
        rows.push(Row::blank());
        rows.extend(problem::problem(warning, Meaning::Attention));
    }
    rows
}

fn fact(label: &str, text: impl Into<Line>) -> Row {
    Row::new([Cell::keep(Line::new().dim(label)).least(8), Cell::wrap(text)]).indent(2).group(FACTS)
}

fn planned_image(number: usize, image: &Image) -> Row {
    let label = Cell::keep(Line::new().dim(if number == 0 { "images" } else { "" })).least(8);
    let platforms: Vec<&str> = image.platforms.iter().map(|platform| platform.platform.0.as_str()).collect();
    let name = Cell::cut(Line::new().strong(tagged(&image.reference))).gap(3);
    let platforms = Cell::wrap(Line::new().dim(platforms.join(" ")));
    Row::new([label, name, platforms]).indent(2).group(IMAGES)
}

/// `team/demo:master-fc598063@05ee9b3c`
fn tagged(reference: &Reference) -> String {
    let tag = reference.tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = reference.digest.as_ref().map_or_else(String::new, |digest| format!("@{}", digest.short()));
    format!("{}{tag}{digest}", reference.repository.short())
}

/// `before: job/migrate · after: job/warm`
fn hooks(hooks: &[Hook]) -> Option<Line> {
    let mut phases = Vec::new();
    for phase in [HookPhase::Before, HookPhase::After, HookPhase::OnFailure] {
        let names: Vec<String> =
            hooks.iter().filter(|hook| hook.phase == phase).map(|hook| hook.object.to_string()).collect();
        if !names.is_empty() {
            phases.push(format!("{}: {}", named(phase), names.join(", ")));
        }
    }
    (!phases.is_empty()).then(|| phases.join(" · ").into())
}

fn named(phase: HookPhase) -> &'static str {
    match phase {
        HookPhase::Before => "before",
        HookPhase::After => "after",
        HookPhase::OnFailure => "on failure",
    }
}

fn listed(change: Change, name: Line, remark: Option<&str>) -> Row {
    let sign = Cell::keep(apply::sign(change).line()).least(1).gap(1);
    let row = match remark {
        Some(remark) => Row::new([sign, Cell::cut(name).gap(3), Cell::wrap(Line::new().dim(remark))]),
        None => Row::new([sign, Cell::cut(name)]),
    };
    row.indent(2).group(CHANGES)
}

fn changed(change: &ObjectChange) -> Vec<Row> {
    let name = Line::new().strong(change.object.to_string());
    let remark = match (&change.remark, change.change) {
        (Some(remark), Change::Skipped) => Some(format!("passed over: {remark}")),
        (Some(remark), _) => Some(remark.clone()),
        (None, Change::Pruned) => Some("after the new version is healthy".to_owned()),
        (None, Change::Skipped) => Some("passed over".to_owned()),
        (None, _) => None,
    };
    let mut rows = vec![listed(change.change, name, remark.as_deref())];
    rows.extend(change.fields.iter().map(field));
    rows
}

fn field(field: &FieldChange) -> Row {
    let before = field.before.as_deref().unwrap_or("none");
    let text = Line::new().dim(before).plain(" -> ").plain(field.after.as_deref().unwrap_or("gone"));
    let text = field.remark.iter().fold(text, |text, remark| text.attention(format!("   {remark}")));
    Row::new([Cell::cut(field.path.as_str()).gap(3), Cell::wrap(text)]).indent(6).group(FIELDS)
}
