//! Which field of what a person gave is not accepted, and what is.

/// A field with a value that is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}")]
pub struct Invalid {
    /// The name of the field, as the command has it.
    pub field: &'static str,
    /// The values that are accepted, in words, such as "at most 100 characters".
    pub expected: &'static str,
}

impl Invalid {
    /// Returns an error about a field unless its value is accepted.
    pub(crate) fn unless(is_accepted: bool, field: &'static str, expected: &'static str) -> Result<(), Invalid> {
        if is_accepted { Ok(()) } else { Err(Invalid { field, expected }) }
    }
}

/// Returns whether a text has at most so many characters.
pub(crate) fn is_within(text: &str, chars: usize) -> bool {
    text.chars().count() <= chars
}
