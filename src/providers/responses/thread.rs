//! Which conversation a call is of, found out of how it began.
//!
//! The endpoint keeps what it has read of a conversation near the place where its name leads to, so a name must stay the
//! same from call to call; that two conversations with the same beginning share one is what a cache is for.

use std::hash::{DefaultHasher, Hash, Hasher};

use uuid::Uuid;

use crate::model::{Message, Request, Role};

pub(super) fn of(request: &Request, model: &str) -> String {
    let first = request.messages.iter().find(|message| message.role == Role::User).map(Message::plain_text);
    let system = request.system.as_deref().unwrap_or_default();
    name([model, system, first.as_deref().unwrap_or_default()]).hyphenated().to_string()
}

/// The same texts have the same name, in every process.
pub(super) fn name<'a>(texts: impl IntoIterator<Item = &'a str>) -> Uuid {
    let mut low = DefaultHasher::new();
    let mut high = DefaultHasher::new();
    1_u8.hash(&mut high);
    for text in texts {
        text.hash(&mut low);
        text.hash(&mut high);
    }
    Uuid::from_u64_pair(high.finish(), low.finish())
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::model::{Message, Request, Role};

    #[test]
    fn a_conversation_keeps_its_name_while_it_grows() {
        let mut request = Request { messages: vec![Message::text(Role::User, "Hi")], ..Request::default() };
        let name = of(&request, "m");
        request.messages.push(Message::text(Role::Assistant, "Hello"));
        request.messages.push(Message::text(Role::User, "Go on"));
        assert_eq!(of(&request, "m"), name);
        assert_ne!(of(&request, "another"), name);
        request.messages[0] = Message::text(Role::User, "Ho");
        assert_ne!(of(&request, "m"), name);
    }
}
