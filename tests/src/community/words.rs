//! The reactions and comments of a community.

use std::collections::BTreeSet;

use tourismo_core::docs::Reaction;

use super::Community;

/// A reaction of a person to a drive, perhaps with a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleText {
    /// The person.
    pub by: u64,
    /// The reaction.
    pub reaction: Reaction,
    /// The comment, for one in four.
    pub comment: Option<&'static str>,
}

impl Community {
    /// Returns the reactions to a person's drive, by its index among the person's drives: few or none to most of them,
    /// and hundreds of times the usual number to one in a thousand. Ascending by person.
    pub fn words(&self, author: u64, drive: u64) -> Vec<SampleText> {
        let mut chance = self.chance("words", author << 24 | drive);
        let mean = self.size.reactions as f64 / self.size.drives.max(1) as f64;
        // The mean of 1 / (x + 0.0003) over a uniform x is 8.1.
        let share = chance.below(1 << 20) as f64 / f64::from(1 << 20);
        let wanted = (mean / 8.1 / (share + 0.0003)) as u64;
        let mut speakers = BTreeSet::new();
        // Popular people are drawn repeatedly, so large numbers are not reached completely.
        for _ in 0..2 * wanted.min(self.size.people / 2) {
            let by = self.somebody(&mut chance);
            if by != author && (speakers.len() as u64) < wanted {
                speakers.insert(by);
            }
        }
        let word = |by| SampleText {
            by,
            reaction: chance.one_of(&Reaction::ALL),
            comment: (chance.below(4) == 0).then(|| chance.one_of(&COMMENTS)),
        };
        speakers.into_iter().map(word).collect()
    }
}

const COMMENTS: [&str; 8] = [
    "What a road!",
    "Was the pass open all the way?",
    "I was there on Sunday. Gravel in the third hairpin.",
    "Which tyres?",
    "Saved for the summer.",
    "Next time take the old road on the other side.",
    "Take me with you.",
    "No rain? Lucky you.",
];
