use async_trait::async_trait;

use super::*;
use crate::model::{DeltaStream, ErrorKind, ModelInfo, ProviderError, Request};

struct Named(&'static str);

#[async_trait]
impl Provider for Named {
    fn id(&self) -> &str {
        self.0
    }

    fn default_model(&self) -> Option<&str> {
        None
    }

    async fn stream(&self, _: Request) -> Result<DeltaStream, ProviderError> {
        Err(ProviderError::new(ErrorKind::Config, "it only has a name"))
    }

    async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Ok(Vec::new())
    }
}

fn route(id: &'static str, vendors: &[&'static str], ready: bool) -> Route {
    Route {
        id: id.to_owned(),
        enabled: ready,
        provider: Some(Arc::new(Named(id))),
        engine: None,
        hint: String::new(),
        propose_only: (id == "planner").then(|| "it plans".to_owned()),
        vendors: vendors.to_vec(),
    }
}

/// A gateway of many vendors, a vendor of its own name that is ready and one that is not, a server that takes any
/// name, and one that only plans.
fn routes() -> Routes {
    Routes::new(vec![
        route("gateway", &["ready", "unready", "acme", "acme-labs", "own-"], true),
        route("ready", &["ready"], true),
        route("unready", &["unready"], false),
        route("any", &[], true),
        route("planner", &["@p"], true),
    ])
}

fn message(provider: &str, mode: Mode, fallbacks: &[&str]) -> Message {
    Message {
        session: "s".to_owned(),
        content: Vec::new(),
        mode,
        mode_is_named: false,
        provider: Some(provider.to_owned()),
        model: Some("own".to_owned()),
        max_iterations: 1,
        fallbacks: fallbacks.iter().map(|name| (*name).to_owned()).collect(),
        per_model_timeout: None,
        stream: false,
        thread: None,
        steer: false,
        queue: true,
        place: Arc::default(),
        approver: None,
    }
}

/// `own` is the turn's provider, `expected` what the fallback becomes: provider and model, or the error.
#[track_caller]
fn check(own: &str, name: &str, expected: &str) {
    let said = match routes().choose(&message(own, Mode::Auto, &[name])) {
        Err(error) => error.to_string(),
        Ok(chosen) => {
            assert_eq!(chosen.candidates[0].model.as_deref(), Some("own"), "the model named is the first one's");
            let candidate = &chosen.candidates[1];
            format!("{} + {}", candidate.id, candidate.model.as_deref().unwrap_or("its default"))
        }
    };
    assert_eq!(said, expected, "{name} in a turn of {own}");
}

#[test]
fn the_name_of_a_fallback() {
    // A provider that is ready goes before a vendor of the same name.
    check("gateway", "ready/m", "ready + m");
    check("gateway", "ready", "ready + its default");
    check("gateway", "ready/", "ready + its default");
    check("any", "gateway/ready/m", "gateway + ready/m");
    check("any", "any/deep/m", "any + deep/m");
    // One that is not ready is refused, unless the turn's own provider knows a vendor of that name.
    check("any", "unready/m", "provider 'unready' is not enabled");
    check("ready", "unready", "provider 'unready' is not enabled");
    check("gateway", "unready/m", "gateway + unready/m");
    // What is no provider is a model of the turn's own, or of another one that knows the vendor.
    check("any", "acme/m", "any + acme/m");
    check("gateway", "acme/m", "gateway + acme/m");
    check("ready", "acme/m", "gateway + acme/m");
    check("ready", "@p/x/m", "planner + @p/x/m");
    // However it is written, and whatever follows where that is the account's own.
    check("gateway", "ACME/m", "gateway + ACME/m");
    check("ready", "Acme Labs/m", "gateway + Acme Labs/m");
    check("gateway", "acme_labs/m", "gateway + acme_labs/m");
    check("gateway", "Own-server/m", "gateway + Own-server/m");
    check("gateway", "own/m", "there is no provider 'own'");
    check("ready", "m-2", "ready + m-2");
    check("ready", "nobody/m", "there is no provider 'nobody'");
    check("ready", "", "there is no provider ''");
    check("any", "/m", "there is no provider ''");
}

#[track_caller]
fn check_proposing(own: &str, mode: Mode, fallbacks: &[&str], downgraded: bool, unfit: &[bool]) {
    let chosen = routes().choose(&message(own, mode, fallbacks)).expect("all are ready");
    assert_eq!(chosen.propose_only.is_some(), downgraded, "{own} {mode:?}");
    assert_eq!(chosen.candidates.iter().map(|candidate| candidate.unfit.is_some()).collect::<Vec<_>>(), unfit);
}

#[test]
fn one_that_only_plans_makes_plans_or_is_passed_over() {
    check_proposing("ready", Mode::Auto, &["planner", "any"], false, &[false, true, false]);
    check_proposing("ready", Mode::Selective, &["planner"], false, &[false, true]);
    check_proposing("ready", Mode::Propose, &["planner"], false, &[false, false]);
    check_proposing("planner", Mode::Auto, &["ready", "planner/other"], true, &[false, false, false]);
}
