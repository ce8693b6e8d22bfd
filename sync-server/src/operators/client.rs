//! The command `tourismo-server admin`: a client of the operators' address of a running server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tourismo_core::id::{AccountId, DocId};

use super::answers::{
    AccountBody, AccountsBody, ClosedBody, DecideBody, DecisionBody, DecisionsBody, InvitationBody, InvitationsBody,
    ItemBody, NewInvitationBody, ReportBody, ReportsBody, TargetName,
};
use super::secret::OperatorSecret;

/// Maximum time for an answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// Maximum size of an answer, bytes.
const MAX_ANSWER: u64 = 8 << 20;

/// Act on abuse, through the operators' address of the running server (`serve --admin-listen`).
#[derive(Debug, Args)]
pub struct Admin {
    /// The operators' address of the server.
    #[arg(long = "admin", env = "TOURISMO_ADMIN_LISTEN", default_value = "127.0.0.1:8081")]
    address: SocketAddr,
    /// The file with the operators' secret, which the server created.
    #[arg(long, env = "TOURISMO_ADMIN_SECRET_FILE", default_value = "tourismo.sqlite.admin-secret")]
    admin_secret_file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List open reports, the newest first.
    Reports {
        /// List those of people without an account.
        #[arg(long)]
        anonymous: bool,
    },
    /// Close the reports about an item without a decision.
    Dismiss {
        /// The number of one of the reports.
        report: u64,
    },
    /// List decisions, the newest first.
    Decisions,
    /// Hide a drive, a meet or a comment from everybody but its owner.
    Hide(Decide),
    /// Show a hidden item again.
    Show(Decide),
    /// Suspend an account: nothing of it is public; its own data still syncs and exports.
    Suspend(OfAccount),
    /// End the suspension of an account.
    Unsuspend(OfAccount),
    /// Make an invitation, and print its code once.
    Invite {
        /// A note for the operators.
        #[arg(long, default_value = "")]
        note: String,
        /// How many accounts it lets in.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For how many days.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// List invitations, the newest first, without their codes.
    Invitations,
    /// Revoke an invitation. Accounts that used it stay.
    RevokeInvitation {
        /// Its number.
        number: u64,
    },
    /// Show what the largest accounts use, or one account.
    Accounts {
        /// A handle or an account's id.
        account: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Decide {
    /// The number of a report about the item.
    #[arg(long, conflicts_with_all = ["kind", "id"], required_unless_present = "id")]
    report: Option<u64>,
    /// The kind of the item.
    #[arg(requires = "id")]
    kind: Option<Kind>,
    /// Its id, as in its link.
    id: Option<DocId>,
    /// The author of a comment.
    #[arg(long)]
    by: Option<AccountId>,
    /// The drive of a comment.
    #[arg(long)]
    on: Option<DocId>,
    /// Why, in words for the owner.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
struct OfAccount {
    /// A handle or an account's id.
    account: String,
    /// Why, in words for the owner.
    #[arg(long)]
    reason: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Drive,
    Meet,
    Comment,
}

impl Admin {
    /// Performs the action, and returns its answer as text.
    ///
    /// # Errors
    /// If the server cannot be reached, or refuses.
    pub async fn run(self) -> anyhow::Result<String> {
        let secret = OperatorSecret::read(&self.admin_secret_file)?;
        let client = Client { address: self.address, authorization: secret.header(), json: self.json };
        match self.action {
            Action::Reports { anonymous } => {
                let path = format!("/v1/reports?anonymous={anonymous}");
                client.get(&path, |answer: &ReportsBody| lines(&answer.reports, "no open reports", report)).await
            }
            Action::Dismiss { report } => {
                let path = format!("/v1/reports/{report}/dismiss");
                client.send("POST", &path, &(), |answer: &ClosedBody| format!("closed {} reports", answer.closed)).await
            }
            Action::Decisions => {
                let text = |answer: &DecisionsBody| lines(&answer.decisions, "no decisions", decision);
                client.get("/v1/decisions", text).await
            }
            Action::Hide(which) => client.decide(which.item(true)?).await,
            Action::Show(which) => client.decide(which.item(false)?).await,
            Action::Suspend(which) => client.suspend(which, true).await,
            Action::Unsuspend(which) => client.suspend(which, false).await,
            Action::Invite { note, uses, days } => {
                let body = NewInvitationBody { note, uses, days };
                client.send("POST", "/v1/invitations", &body, invitation).await
            }
            Action::Invitations => {
                let text = |answer: &InvitationsBody| lines(&answer.invitations, "no invitations", invitation);
                client.get("/v1/invitations", text).await
            }
            Action::RevokeInvitation { number } => {
                client.answer("DELETE", &format!("/v1/invitations/{number}"), None, invitation).await
            }
            Action::Accounts { account: None } => {
                let text = |answer: &AccountsBody| lines(&answer.accounts, "no accounts", account);
                client.get("/v1/accounts", text).await
            }
            Action::Accounts { account: Some(name) } => {
                client.get(&format!("/v1/accounts/{}", encoded(&name)), account).await
            }
        }
    }
}

impl Decide {
    fn item(self, is_hidden: bool) -> anyhow::Result<DecideBody> {
        let Decide { report, kind, id, by, on, reason } = self;
        let item = match (kind, id) {
            (Some(kind), Some(id)) => Some(ItemBody {
                target: match kind {
                    Kind::Drive => TargetName::Drive,
                    Kind::Meet => TargetName::Meet,
                    Kind::Comment if by.is_none() || on.is_none() => {
                        bail!("a comment needs --by ACCOUNT and --on DRIVE; both are in its report")
                    }
                    Kind::Comment => TargetName::Comment,
                },
                id,
                account: by,
                drive: on,
            }),
            (Some(_) | None, None | Some(_)) => None,
        };
        Ok(DecideBody { report, item, is_hidden, reason })
    }
}

struct Client {
    address: SocketAddr,
    authorization: String,
    json: bool,
}

impl Client {
    async fn get<T: DeserializeOwned>(&self, path: &str, text: impl FnOnce(&T) -> String) -> anyhow::Result<String> {
        self.answer("GET", path, None, text).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &impl Serialize,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<String> {
        self.answer(method, path, Some(serde_json::to_string(body)?), text).await
    }

    async fn decide(&self, body: DecideBody) -> anyhow::Result<String> {
        self.send("POST", "/v1/decisions", &body, decision).await
    }

    async fn suspend(&self, which: OfAccount, is_hidden: bool) -> anyhow::Result<String> {
        let OfAccount { account, reason } = which;
        let path = format!("/v1/accounts/{}", encoded(&account));
        let found: AccountBody = serde_json::from_str(&self.body("GET", &path, None).await?)?;
        let id = DocId::from_bytes(*found.account.as_bytes());
        let item = ItemBody { target: TargetName::Person, id, account: None, drive: None };
        self.decide(DecideBody { report: None, item: Some(item), is_hidden, reason }).await
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<String>,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<String> {
        let answer = self.body(method, path, body).await?;
        if self.json {
            return Ok(answer);
        }
        Ok(text(&serde_json::from_str(&answer).context("the server's answer cannot be read")?))
    }

    /// Returns the body of a successful answer. The server closes the connection after it.
    async fn body(&self, method: &str, path: &str, body: Option<String>) -> anyhow::Result<String> {
        let Client { address, authorization, .. } = self;
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let exchange = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = timeout(DEADLINE, exchange).await.context("the server does not answer")?;
        let answer = answer.with_context(|| {
            format!("{address} cannot be reached: does the server run with --admin-listen {address}?")
        })?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            let error: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            let words = ["message", "hint"].map(|field| error["error"][field].as_str().unwrap_or_default());
            bail!("{status}: {}", words.join(" ").trim());
        }
        Ok(body.to_owned())
    }
}

fn encoded(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

fn lines<T>(items: &[T], none: &str, line: impl Fn(&T) -> String) -> String {
    if items.is_empty() { none.to_owned() } else { items.iter().map(line).collect::<Vec<_>>().join("\n") }
}

fn named(item: &ItemBody) -> String {
    let ItemBody { target, id, account, drive } = item;
    let mut text = format!("{} {id}", format!("{target:?}").to_lowercase());
    if let Some(account) = account {
        text += &format!(" of {account}");
    }
    if let Some(drive) = drive {
        text += &format!(" on {drive}");
    }
    text
}

fn report(report: &ReportBody) -> String {
    let ReportBody { number, at, item, shown, reason, text, reporter } = report;
    let by = reporter.map_or_else(|| "without an account".to_owned(), |account| format!("by {account}"));
    let shown = shown.text.as_deref().map(one_line).unwrap_or_default();
    format!("{number}\t{}\t{}\t{reason}\t{by}\t{shown}\t{}", at.as_millis(), named(item), one_line(text))
}

fn decision(decision: &DecisionBody) -> String {
    let DecisionBody { number, at, item, is_hidden, reason } = decision;
    let state = if *is_hidden { "hidden" } else { "shown" };
    format!("{number}\t{}\t{}\t{state}\t{}", at.as_millis(), named(item), one_line(reason))
}

fn account(account: &AccountBody) -> String {
    let AccountBody { account, handle, is_suspended, devices, documents, changes, bytes, founded_at } = account;
    let handle = handle.as_deref().unwrap_or("-");
    let state = if *is_suspended { "suspended" } else { "active" };
    format!(
        "{account}\t{handle}\t{state}\t{bytes} bytes\t{documents} documents\t{changes} changes\t{devices} devices\t{}",
        founded_at.as_millis()
    )
}

fn invitation(invitation: &InvitationBody) -> String {
    let InvitationBody { number, expires_at, uses, used, is_revoked, note, code, created_at: _ } = invitation;
    let state = if *is_revoked { "revoked" } else { "valid" };
    let code = code.as_deref().map(|code| format!("\t{code}")).unwrap_or_default();
    format!("{number}\t{used} of {uses} used\t{state}\tuntil {}\t{}{code}", expires_at.as_millis(), one_line(note))
}

/// Returns a text without line breaks and other control characters, which a terminal would obey.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
