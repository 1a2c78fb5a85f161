//! On what terms turns run in a thread, as far as that is known: they stay as they were until somebody changes them,
//! which may be another client. Pure.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::wire::{SettingsUpdated, ThreadSettings};

const MODEL: &str = "model";

/// By the names that `turn/start` has for them; what is not there is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms(Map<String, Value>);

impl Terms {
    pub fn of(settings: &ThreadSettings) -> Self {
        // Another profile may hide behind a sandbox of the same looks.
        let sandbox = settings.sandbox_policy.as_ref().filter(|_| settings.active_permission_profile.is_none());
        let model = settings.model.clone().map(Value::from);
        let known = [
            ("approvalPolicy", settings.approval_policy.as_ref()),
            ("approvalsReviewer", settings.approvals_reviewer.as_ref()),
            ("sandboxPolicy", sandbox),
            ("cwd", settings.cwd.as_ref()),
            (MODEL, model.as_ref()),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone())));
        Self(known.collect())
    }

    /// What `thread/settings/updated` says; nothing is known if it cannot be read.
    pub fn updated(params: &RawValue) -> Self {
        let updated: Result<SettingsUpdated, _> = serde_json::from_str(params.get());
        updated.map(|updated| Self::of(&updated.thread_settings)).unwrap_or_default()
    }

    /// Those that do not hold already, or are not known to.
    pub fn without_same(&self, mut wanted: Map<String, Value>) -> Map<String, Value> {
        wanted.retain(|name, value| self.0.get(name) != Some(value));
        wanted
    }

    /// They are about to be changed, and nobody knows whether that succeeds.
    pub fn doubt(&mut self, changes: &Map<String, Value>) {
        self.0.retain(|name, _| !changes.contains_key(name));
    }

    /// That has succeeded.
    pub fn agree(&mut self, changes: Map<String, Value>) {
        self.0.extend(changes);
    }

    pub fn model(&self) -> Option<&str> {
        self.0.get(MODEL).and_then(Value::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::thread::Ground;
    use super::*;
    use crate::config::Sandbox;
    use crate::model::{Mode, Place};

    fn settings(approvals: &str, model: &str) -> Value {
        json!({
            "approvalPolicy": approvals, "approvalsReviewer": "user", "cwd": "/project", "model": model,
            "sandboxPolicy": sandbox(), "activePermissionProfile": null, "effort": null,
        })
    }

    fn sandbox() -> Value {
        json!({ "type": "workspaceWrite", "writableRoots": ["/more"], "networkAccess": false })
    }

    fn updated(settings: &Value) -> Terms {
        let params = json!({ "threadId": "a", "threadSettings": settings });
        Terms::updated(&serde_json::value::to_raw_value(&params).expect("JSON"))
    }

    fn place(mode: Mode, model: Option<&str>) -> Place {
        let model = model.map(str::to_owned);
        let (system, tools) = (String::new(), Arc::default());
        Place { session: "s".to_owned(), mode, thread: None, model, cwd: None, system, tools }
    }

    #[track_caller]
    fn check(known: &Terms, mode: Mode, model: Option<&str>, expected: Value) {
        let ground = Ground { sandbox: Sandbox::WorkspaceWrite, cwd: Some("/project".to_owned()), is_here: true };
        let said = ground.overrides(&place(mode, model), Some(&sandbox()), known);
        assert_eq!(Value::Object(said), expected);
    }

    #[test]
    fn what_holds_is_not_said() {
        let known = updated(&settings("never", "gpt-5.5"));
        check(&known, Mode::Auto, None, json!({}));
        check(&known, Mode::Auto, Some("gpt-5.5"), json!({}));
        check(&known, Mode::Auto, Some("gpt-6"), json!({ "model": "gpt-6" }));
    }

    #[test]
    fn what_another_client_has_changed_is_said_again() {
        check(&updated(&settings("untrusted", "gpt-5.5")), Mode::Auto, None, json!({ "approvalPolicy": "never" }));
        let mut changed = settings("never", "gpt-5.5");
        changed["approvalsReviewer"] = json!("auto_review");
        changed["sandboxPolicy"] = json!({ "type": "dangerFullAccess" });
        changed["cwd"] = json!("/");
        let said = json!({ "approvalsReviewer": "user", "sandboxPolicy": sandbox(), "cwd": "/project" });
        check(&updated(&changed), Mode::Auto, None, said);
    }

    #[test]
    fn a_profile_behind_the_same_sandbox_is_replaced() {
        let mut profiled = settings("never", "gpt-5.5");
        profiled["activePermissionProfile"] = json!({ "id": ":workspace", "extends": null });
        check(&updated(&profiled), Mode::Auto, None, json!({ "sandboxPolicy": sandbox() }));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let all = json!({
            "approvalPolicy": "untrusted", "approvalsReviewer": "user", "sandboxPolicy": sandbox(),
            "cwd": "/project", "model": "gpt-6",
        });
        check(&Terms::default(), Mode::Selective, Some("gpt-6"), all.clone());
        let strange = RawValue::from_string(r#"{"threadSettings":7}"#.to_owned()).expect("JSON");
        check(&Terms::updated(&strange), Mode::Selective, Some("gpt-6"), all);
    }

    #[test]
    fn where_nothing_may_run_or_not_without_leave_that_is_always_said() {
        let mut known = updated(&settings("never", "gpt-5.5"));
        let policies = json!({
            "approvalPolicy": "never", "approvalsReviewer": "user", "sandboxPolicy": { "type": "readOnly" },
        });
        let Value::Object(agreed) = policies.clone() else { panic!("an object") };
        known.agree(agreed);
        check(&known, Mode::Propose, Some("gpt-5.5"), policies);
        let known = updated(&settings("untrusted", "gpt-5.5"));
        let policies = json!({
            "approvalPolicy": "untrusted", "approvalsReviewer": "user", "sandboxPolicy": sandbox(),
        });
        check(&known, Mode::Selective, Some("gpt-5.5"), policies);
    }

    #[test]
    fn what_was_said_holds_once_it_is_answered_and_is_in_doubt_until_then() {
        let mut known = updated(&settings("untrusted", "gpt-5.5"));
        let Value::Object(said) = json!({ "approvalPolicy": "never" }) else { panic!("an object") };
        known.doubt(&said);
        check(&known, Mode::Auto, None, json!({ "approvalPolicy": "never" }));
        known.agree(said);
        check(&known, Mode::Auto, None, json!({}));
        assert_eq!(known.model(), Some("gpt-5.5"));
    }

    #[test]
    fn a_thread_that_is_started_or_resumed_says_the_same_by_other_names() {
        let opened = json!({
            "thread": { "id": "a" }, "model": "gpt-5.5", "sandbox": sandbox(), "cwd": "/project",
            "approvalPolicy": "untrusted", "approvalsReviewer": "user", "activePermissionProfile": null,
        });
        let opened: super::super::wire::Opened = serde_json::from_value(opened).expect("it is read");
        assert_eq!(Terms::of(&opened.settings), updated(&settings("untrusted", "gpt-5.5")));
    }
}
