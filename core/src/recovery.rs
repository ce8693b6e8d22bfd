//! Recovery keys: Ed25519 keys that are computed from twelve words on paper, or from what a passkey gives.
//!
//! The words are those of BIP-39 (English) for 128 random bits; their last four bits are a checksum. This module stores nothing.

use bip39::{Language, Mnemonic};
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use serde::Serialize;
use sha2::Sha256;

use crate::id::{AccountId, DeviceKey};
use crate::membership::{Claim, Statement};

/// How many words there are.
pub const WORDS: usize = 12;

/// The length of what the words stand for, bytes.
pub const WORDS_SECRET_BYTES: usize = 16;

/// The length of what a passkey gives (WebAuthn, extension `prf`), bytes.
pub const PASSKEY_SECRET_BYTES: usize = 32;

/// A recovery key with its private half. It is in memory while it signs, and stored nowhere.
pub struct RecoverySigner(SigningKey);

impl std::fmt::Debug for RecoverySigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoverySigner")
    }
}

impl RecoverySigner {
    /// Computes the key of a secret: 16 bytes from words, or 32 bytes from a passkey; `None` for another length. The seed of
    /// the key is HKDF-SHA256 (RFC 5869) of the secret, without salt. `[G7]`
    pub fn from_secret(secret: &[u8]) -> Option<RecoverySigner> {
        let info: &[u8] = match secret.len() {
            WORDS_SECRET_BYTES => b"tourismo recovery words v1",
            PASSKEY_SECRET_BYTES => b"tourismo recovery passkey v1",
            _ => return None,
        };
        let mut seed = [0; 32];
        Hkdf::<Sha256>::new(None, secret).expand(info, &mut seed).ok()?;
        Some(RecoverySigner(SigningKey::from_bytes(&seed)))
    }

    /// Returns the public key.
    pub fn key(&self) -> DeviceKey {
        DeviceKey(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }

    /// Signs a membership statement. `[G1]`
    pub fn statement(&self, claim: Claim, account: &AccountId, subject: DeviceKey) -> Statement {
        let signature = self.sign(&Statement::signed_bytes(&claim, account, &subject));
        Statement { claim, subject, by: self.key(), signature }
    }
}

/// Returns the words of a secret of 16 bytes; `None` for another length.
pub fn words_of(secret: &[u8]) -> Option<Vec<&'static str>> {
    if secret.len() != WORDS_SECRET_BYTES {
        return None;
    }
    Mnemonic::from_entropy_in(Language::English, secret).ok().map(|words| words.words().collect())
}

/// What is wrong with words that a person typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum WrongWords {
    /// There are not twelve.
    Count {
        /// How many there are.
        words: usize,
    },
    /// A word is none of the list.
    Unknown {
        /// Its place, from 0.
        place: usize,
        /// The word.
        word: String,
        /// The words of the list that begin like it, or differ from it by one letter; at most four.
        similar: Vec<&'static str>,
    },
    /// Every word is one of the list, and the checksum says that one of them is wrong, or in another place.
    Checksum {
        /// The places at which a similar word makes the checksum right, each with that word; at most four.
        misreadings: Vec<Misreading>,
    },
}

/// A word that may have been misread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Misreading {
    /// Its place, from 0.
    pub place: usize,
    /// A word that makes the checksum right there.
    pub instead: &'static str,
}

const MAX_SUGGESTIONS: usize = 4;

/// Reads words that a person typed: in any case, with any blanks, commas or numbers between them. `[G7]`
///
/// # Errors
/// [`WrongWords`].
pub fn read_words(text: &str) -> Result<[u8; WORDS_SECRET_BYTES], WrongWords> {
    let typed: Vec<String> =
        text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    let mut words = Vec::with_capacity(WORDS);
    for (place, word) in typed.iter().enumerate() {
        match Language::English.find_word(word) {
            Some(index) => words.push(Language::English.word_list()[usize::from(index)]),
            None => return Err(WrongWords::Unknown { place, word: word.clone(), similar: similar_to(word) }),
        }
    }
    if words.len() != WORDS {
        return Err(WrongWords::Count { words: words.len() });
    }
    entropy_of(&words).ok_or_else(|| WrongWords::Checksum { misreadings: misreadings(&words) })
}

fn entropy_of(words: &[&str]) -> Option<[u8; WORDS_SECRET_BYTES]> {
    let words = Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).ok()?;
    words.to_entropy_array().0.first_chunk().copied()
}

fn similar_to(word: &str) -> Vec<&'static str> {
    let is_similar = |other: &&&str| is_near(word, other) || (word.len() >= 3 && other.starts_with(word));
    Language::English.word_list().iter().filter(is_similar).take(MAX_SUGGESTIONS).copied().collect()
}

/// Finds the single words whose replacement by a similar one makes the checksum right.
fn misreadings(words: &[&'static str]) -> Vec<Misreading> {
    let mut found = Vec::new();
    for place in 0..words.len() {
        for instead in similar_to(words[place]) {
            let mut other = words.to_vec();
            other[place] = instead;
            if instead != words[place] && entropy_of(&other).is_some() && found.len() < MAX_SUGGESTIONS {
                found.push(Misreading { place, instead });
            }
        }
    }
    found
}

/// Returns whether two words differ by one letter: another one, one more, or one less.
fn is_near(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same = short.bytes().zip(long.bytes()).take_while(|(a, b)| a == b).count();
    let (rest, longer_rest) = (&short.as_bytes()[same..], &long.as_bytes()[same..]);
    match long.len() - short.len() {
        0 => rest.is_empty() || rest[1..] == longer_rest[1..],
        1 => rest == &longer_rest[1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn g7_words_and_keys_are_those_of_their_secrets() {
        let words = words_of(&[0; 16]).unwrap();
        // The first vector of BIP-39.
        assert_eq!(words.join(" "), "abandon ".repeat(11) + "about");
        assert_eq!(read_words(&words.join(" ")), Ok([0; 16]));
        let secret = [7; 16];
        assert_eq!(read_words(&words_of(&secret).unwrap().join(" ")), Ok(secret));
        let key = |secret: &[u8]| hex(&RecoverySigner::from_secret(secret).unwrap().key().0);
        assert_eq!(key(&[7; 16]), "40d6d44f1836cfd4ca78d035e36fb07a51f13471919b62d722ff359be5de9e4f");
        assert_eq!(key(&[7; 32]), "65452d8eea0e9ef627ca464e45f0f2295ea624a8e54408b831daadcace92b979");
        for length in [0, 15, 17, 31, 33, 64] {
            assert!(RecoverySigner::from_secret(&vec![7; length]).is_none(), "{length}");
            assert!(words_of(&vec![7; length]).is_none(), "{length}");
        }
    }

    #[test]
    fn g7_words_are_read_however_they_are_written() {
        let secret = [0x5a; 16];
        let words = words_of(&secret).unwrap();
        let numbered: String =
            words.iter().enumerate().map(|(n, word)| format!("{}. {}\r\n", n + 1, word.to_uppercase())).collect();
        for text in [words.join(" "), words.join(",\n "), format!("  {}  ", words.join("\t")), numbered] {
            assert_eq!(read_words(&text), Ok(secret), "{text:?}");
        }
    }

    #[test]
    fn g7_a_wrong_word_is_found_and_named() {
        let words = words_of(&[0x5a; 16]).unwrap();
        let with = |place: usize, word: &str| {
            let mut words = words.clone();
            words[place] = word;
            read_words(&words.join(" "))
        };
        assert_eq!(read_words(""), Err(WrongWords::Count { words: 0 }));
        assert_eq!(read_words(&words[..11].join(" ")), Err(WrongWords::Count { words: 11 }));
        assert_eq!(read_words(&[&words[..], &["zoo"]].concat().join(" ")), Err(WrongWords::Count { words: 13 }));
        let unknown = with(3, "abandom");
        assert_eq!(
            unknown,
            Err(WrongWords::Unknown { place: 3, word: "abandom".to_owned(), similar: vec!["abandon"] })
        );
        // A word of the list at another place is found, but where its four bits of checksum happen to agree.
        let (mut missed, mut all) = (0, 0);
        for (place, right) in words.iter().enumerate() {
            for word in Language::English.word_list().iter().step_by(61).filter(|word| *word != right) {
                all += 1;
                match with(place, word) {
                    Err(WrongWords::Checksum { misreadings }) => {
                        if misreadings.len() < MAX_SUGGESTIONS && is_near(right, word) {
                            let right = |one: &Misreading| one.place == place && one.instead == *right;
                            assert!(misreadings.iter().any(right), "{place} {word} {misreadings:?}");
                        }
                    }
                    Ok(_) => missed += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        assert!((all / 40..all / 8).contains(&missed), "{missed} of {all}");
    }

    #[test]
    fn words_are_near_if_one_letter_differs() {
        for (one, other, near) in [
            ("absent", "absent", true),
            ("cat", "car", true),
            ("cat", "cart", true),
            ("cart", "cat", true),
            ("at", "cat", true),
            ("cat", "dog", false),
            ("cat", "catch", false),
            ("", "a", true),
        ] {
            assert_eq!(is_near(one, other), near, "{one} {other}");
        }
    }
}
