use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use super::*;
use crate::helm::Logs;
use crate::model::Delta;
use crate::model::{DeltaStream, ModelInfo, Stop};

/// Answers, or fails with this status.
struct Scripted {
    id: &'static str,
    fails: Option<u16>,
}

#[async_trait]
impl Provider for Scripted {
    fn id(&self) -> &str {
        self.id
    }

    fn default_model(&self) -> Option<&str> {
        None
    }

    async fn stream(&self, _: Request) -> Result<DeltaStream, ProviderError> {
        match self.fails {
            Some(status) => Err(ProviderError::new(ErrorKind::Unavailable, "no").with_status(status)),
            None => Ok(stream::iter([Ok(Delta::Finished(Stop::EndTurn))]).boxed()),
        }
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

/// Fails, works, or is not fit to be asked.
async fn check(candidates: &[(&'static str, Option<u16>, bool)], expected: &[&str]) -> Option<HelmError> {
    let candidate = |(id, fails, unfit): &(&'static str, Option<u16>, bool)| Candidate {
        id: (*id).to_owned(),
        provider: Some(Arc::new(Scripted { id, fails: *fails })),
        engine: None,
        model: None,
        unfit: unfit.then(|| "it plans".to_owned()),
    };
    let events = Events { log: Logs::new(16).get_or_start("s", 0), turn_id: "t".into(), next_index: 0 };
    let mut caller = Caller {
        candidates: candidates.iter().map(candidate).collect(),
        current: 0,
        timeout: None,
        attempts: Vec::new(),
        events,
        cancelled: CancellationToken::new(),
    };
    let outcome = caller.call(&Request::default()).await;
    let said = caller.attempts.iter().map(|attempt| match &attempt.error {
        Some(error) => format!("{}: {error}", attempt.provider),
        None => attempt.provider.clone(),
    });
    assert_eq!(said.collect::<Vec<_>>(), expected);
    outcome.err()
}

#[tokio::test]
async fn one_that_is_not_fit_counts_as_an_attempt_only_when_its_time_comes() {
    let (bad, fit, unfit) = (("bad", Some(529), false), ("fit", None, false), ("unfit", None, true));
    assert!(check(&[bad, unfit, fit], &["bad: no", "unfit: passed over: it plans", "fit"]).await.is_none());
    assert!(check(&[fit, unfit], &["fit"]).await.is_none());
    let error = check(&[bad, unfit], &["bad: no", "unfit: passed over: it plans"]).await.unwrap();
    let HelmError::FallbacksExhausted { error, attempts, .. } = &error else { panic!("{error:?}") };
    assert_eq!((error.status, attempts.len()), (Some(529), 2), "the last one that was asked says why");
}
