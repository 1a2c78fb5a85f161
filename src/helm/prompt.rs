//! The system prompt: who Helm is, how it works, and what it can call.

use std::fmt::Write;
use std::sync::Arc;

use crate::model::Mode;
use crate::skills::SkillSpec;

const WHO: &str = "You are Helm, the agent of an Open Think runtime. You help people set up and operate it, and you \
get things done with its skills.";

const GUIDANCE: &str = "When an action is asked for, use a skill rather than describing it. Say the decision first and \
keep prose short. Use only skills of the catalog, by their exact ids. Stop calling skills once you know the answer.";

const BLOCKS: &str = "To suggest a skill instead of calling it, write a fenced block of JSON, one for each skill:\n\
```open-think-action\n{\"skill\": \"<id>\", \"input\": {}}\n```";

const SECRECY: &str = "Never print secrets, keys or tokens; call a credential by its name.";

pub fn system<'a>(mode: Mode, skills: impl Iterator<Item = &'a Arc<SkillSpec>>) -> String {
    let mode = match mode {
        Mode::Propose => {
            "Mode: PROPOSE. Plan only: describe what you would do and suggest skills with blocks. Call nothing."
        }
        Mode::Selective => {
            "Mode: SELECTIVE. Call safe skills as you need them. Calls of skills marked [dangerous] wait for the \
             user's approval, so make them only when they are needed."
        }
        Mode::Auto => "Mode: AUTO. Work from beginning to end with the skills you need, then give the answer.",
    };
    let mut prompt = [WHO, GUIDANCE, BLOCKS, SECRECY, mode].join("\n\n");
    prompt.push_str("\n\nSkill catalog:");
    let before = prompt.len();
    for skill in skills {
        line(&mut prompt, skill);
    }
    if prompt.len() == before {
        prompt.push_str("\nNo skills are currently enabled.");
    }
    prompt
}

fn line(prompt: &mut String, skill: &SkillSpec) {
    let danger = if skill.dangerous { " [dangerous]" } else { "" };
    // Writing to a string cannot fail.
    let _ = write!(prompt, "\n{}{danger} — {} ({}", skill.id, skill.description, skill.plugin);
    for (index, tag) in skill.tags.iter().enumerate() {
        prompt.push_str(if index == 0 { ", " } else { "/" });
        prompt.push_str(tag);
    }
    prompt.push(')');
}
