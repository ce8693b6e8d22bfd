//! The tables `invitation` and `invited`: who may make an account although registration is not open.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::sql::{self, Bulk, Columns, Connection, Insert, columns};
use super::{account_id, column, position};

/// The alphabet of codes: Crockford's base 32, without letters that look like digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The number of characters of a code: 60 bits, so that guessing is hopeless at any rate of requests.
const CODE_CHARS: usize = 12;

/// The hash of a code. Only hashes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeHash([u8; 32]);

/// Returns a new code in groups of four characters, from random bytes.
pub(crate) fn code_of(random: [u8; CODE_CHARS]) -> String {
    let chars = random.map(|byte| char::from(ALPHABET[usize::from(byte & 31)]));
    let groups: Vec<String> = chars.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

impl CodeHash {
    /// Returns the hash of a code as somebody typed it; nothing for another text.
    pub(crate) fn of(text: &str) -> Option<CodeHash> {
        let mut code = String::new();
        for char in text.chars().filter(char::is_ascii_alphanumeric) {
            code.push(match char.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            });
        }
        let is_code = code.len() == CODE_CHARS && code.bytes().all(|byte| ALPHABET.contains(&byte));
        is_code.then(|| CodeHash(Sha256::digest(format!("tourismo invitation v1 {code}")).into()))
    }
}

/// An invitation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invitation {
    pub(crate) number: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// How many accounts it lets in.
    pub(crate) uses: u32,
    pub(crate) revoked_at: Option<Timestamp>,
    /// For the operators.
    pub(crate) note: String,
}

columns!(Invitation { number, created_at, expires_at, uses, revoked_at, note });

static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::into("invitation", &[Invitation::list(), vec!["hash"]].concat()));

/// Adds an invitation with the next number.
pub(crate) async fn insert(
    writer: &mut Connection,
    hash: CodeHash,
    invitation: Invitation,
) -> Result<Invitation, sqlx::Error> {
    let newest: i64 =
        sql::query_scalar("SELECT COALESCE(MAX(number), 0) FROM invitation").fetch_one(&mut *writer).await?;
    let invitation = Invitation { number: position("number", newest)? + 1, ..invitation };
    let mut bulk = INSERT.rows();
    bulk.row(invitation.values().into_iter().chain([hash.0.as_slice().into()]));
    bulk.execute(writer).await?;
    Ok(invitation)
}

/// Revokes an invitation: it lets in no further account.
pub(crate) async fn revoke(
    writer: &mut Connection,
    number: u64,
    now: Timestamp,
) -> Result<Option<Invitation>, sqlx::Error> {
    let sql = "UPDATE invitation SET revoked_at = $2 WHERE number = $1 AND revoked_at IS NULL";
    sql::query(sql).bind(column(number)).bind(now).execute(&mut *writer).await?;
    find(writer, number).await
}

async fn find(reader: &mut Connection, number: u64) -> Result<Option<Invitation>, sqlx::Error> {
    let sql = format!("SELECT {} FROM invitation WHERE number = $1", Invitation::of("invitation"));
    let row = sql::query(AssertSqlSafe(sql)).bind(column(number)).row(reader).await?;
    row.map(|row| Invitation::from_row(&row)).transpose()
}

/// Returns the newest invitations, the newest first, each with the number of accounts that used it.
pub(crate) async fn list(reader: &mut Connection, limit: u32) -> Result<Vec<(Invitation, u64)>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, (SELECT COUNT(*) FROM invited WHERE invited.invitation = invitation.number) AS used
        FROM invitation ORDER BY number DESC LIMIT $1
        "#,
        Invitation::of("invitation")
    );
    sql::query(AssertSqlSafe(sql))
        .bind(i64::from(limit))
        .rows(reader, |row| Ok((Invitation::from_row(row)?, position("used", row.get("used")?)?)))
        .await
}

/// Lets an account in by a code. Returns whether the account is invited, now or before.
pub(crate) async fn redeem(
    writer: &mut Connection,
    hash: CodeHash,
    account: AccountId,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    if is_invited(writer, account).await? {
        return Ok(true);
    }
    let sql = r#"
        INSERT INTO invited (account, invitation, invited_at)
        SELECT $2, invitation.number, $3 FROM invitation
        WHERE invitation.hash = $1 AND invitation.revoked_at IS NULL AND invitation.expires_at > $3 AND invitation.uses > (
            SELECT COUNT(*) FROM invited used WHERE used.invitation = invitation.number
        )
    "#;
    let query = sql::query(sql).bind(hash.0.as_slice()).bind(account).bind(now);
    Ok(query.execute(writer).await? > 0)
}

/// Returns whether an account may be made although registration is not open.
pub(crate) async fn is_invited(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM invited WHERE account = $1";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_some())
}

/// Returns the accounts that may be made, and those that exist.
pub(crate) async fn all_let_in(reader: &mut Connection) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM account UNION SELECT account FROM invited ORDER BY account";
    let ids: Vec<Vec<u8>> = sql::query_scalar(sql).fetch_all(reader).await?;
    ids.iter().map(|id| account_id(id)).collect()
}

/// Lets in accounts that were there before a restore.
pub(crate) async fn let_in(writer: &mut Connection, accounts: &[AccountId], now: Timestamp) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new("INSERT INTO invited (account, invited_at) VALUES ", "ON CONFLICT (account) DO NOTHING");
    accounts.iter().for_each(|account| bulk.row([(*account).into(), now.into()]));
    bulk.execute(writer).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o8_a_code_is_read_however_somebody_types_it() {
        let code = code_of([0, 1, 31, 18, 5, 6, 7, 8, 9, 10, 255, 33]);
        assert_eq!(code, "01zj-5678-9az1");
        let hash = CodeHash::of(&code).unwrap();
        for typed in ["01ZJ 5678 9AZ1", "oiZJ56789azl", " 01zj-5678-9az1\n"] {
            assert_eq!(CodeHash::of(typed), Some(hash), "{typed}");
        }
        for other in ["", "01zj-5678-9az", "01zj-5678-9az11", "u1zj-5678-9az1"] {
            assert_eq!(CodeHash::of(other), None, "{other}");
        }
        assert_ne!(CodeHash::of("01zj-5678-9az2"), Some(hash));
    }
}
