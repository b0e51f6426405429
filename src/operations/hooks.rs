//! Hooks of a phase: wave after wave, each waited for, and deleted where their annotations say so.

use std::{collections::BTreeSet, sync::Arc};

use super::{delivery::Delivery, failure::Failure, prepare::Prepared};
use crate::{
    cluster::Packed,
    model::{Applied, Note, Outcome, Record, Rendered, Stage},
};

impl Delivery<'_> {
    /// # Errors
    /// A hook failed: those of later waves are not begun.
    pub(super) async fn hooks(
        &self,
        prepared: &mut Prepared,
        stage: Stage,
        (record, objects): (&mut Record, &Packed),
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let of_stage = prepared.release.objects.iter().filter(|object| object.stage == stage);
        let waves: BTreeSet<i32> = of_stage.map(|object| object.hook.wave).collect();
        let mut ended = Ok(());
        let mut failed = None;
        for wave in waves {
            let is_of = |object: &Rendered| object.stage == stage && object.hook.wave == wave;
            ended = match self.write(prepared, &is_of, record).await {
                Ok(watched) => self.follow(prepared, watched, record, outcome).await.map(drop),
                Err(failure) => Err(failure),
            };
            if ended.is_err() {
                failed = Some(wave);
                break;
            }
        }
        // of a run that is stopped, what goes on may use any of it
        if !self.context.stop.is_set() {
            self.clean_up(prepared, stage, failed, (record, objects)).await;
        }
        ended
    }

    /// Only once a whole phase has ended: a later hook may use what an earlier one brought.
    async fn clean_up(
        &self,
        prepared: &Prepared,
        stage: Stage,
        failed: Option<i32>,
        (record, objects): (&Record, &Packed),
    ) {
        let is_over = |object: &&Rendered| {
            object.stage == stage
                && match failed {
                    Some(wave) if object.hook.wave == wave => object.hook.delete_failed,
                    Some(wave) if object.hook.wave > wave => false,
                    _ => object.hook.delete_succeeded,
                }
        };
        let over = prepared.release.objects.iter().filter(is_over);
        // another deploy's run of it is cleaned up by its own name
        let over: Vec<&Arc<Applied>> =
            over.filter_map(|object| record.applied.iter().find(|applied| applied.id == object.id)).collect();
        // a killed run leaves what its record says, and with the Job goes the last that tells of its end; what runs after a
        // failure runs anew each time
        let is_done = |applied: &&Arc<Applied>| record.jobs.iter().any(|run| run.done && run.is(&applied.id));
        let namespace = &prepared.release.target.namespace.value;
        if stage != Stage::OnFailure
            && over.iter().any(is_done)
            && let Err(error) = self.cluster.save_record(namespace, record, objects).await
        {
            self.context.tell(Note::attention("record", format!("hooks are not deleted: {error}")));
            return;
        }
        for applied in over {
            // what stays is no reason to fail
            if let Err(error) = self.cluster.delete_applied(applied).await {
                self.context.tell(Note::attention("apply", format!("{} is not deleted: {error}", applied.id)));
            }
        }
    }
}

/// True for what runs at a moment of its own.
pub(super) fn is_hook(stage: Stage) -> bool {
    matches!(stage, Stage::Before | Stage::After | Stage::OnFailure)
}
