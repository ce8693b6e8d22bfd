// The page for operators: shows reports, decisions, accounts and invitations, and decides. Every text is set as text, never as
// HTML. The secret is kept in this tab only.

const main = document.querySelector("main");
const message = document.querySelector("#message");
const enter = document.querySelector("#enter");
const nav = document.querySelector("nav");

async function ask(path, method = "GET", body = undefined) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem("secret") ?? ""}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (response.status === 401) leave();
  if (!response.ok) throw new Error([answer.error.message, answer.error.hint].filter(Boolean).join(" "));
  return answer;
}

function leave() {
  sessionStorage.removeItem("secret");
  enter.hidden = false;
  nav.hidden = true;
  main.replaceChildren();
}

function element(name, text, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(text, act, className = "") {
  const made = element("button", text, { className, type: "button" });
  made.addEventListener("click", () => attempt(act));
  return made;
}

async function attempt(act) {
  message.textContent = "";
  try {
    await act();
  } catch (error) {
    message.textContent = error.message;
  }
}

const when = (at) => new Date(at).toLocaleString();

/** The words for an item: its kind, its owner and its id. */
function heading({ target, shown, account }) {
  return `${target[0].toUpperCase()}${target.slice(1)} of ${shown?.handle ? `@${shown.handle}` : account}`;
}

/** Asks for the reason, which the owner reads, and decides. */
function deciding(words, decision) {
  return button(
    words,
    async () => {
      const reason = prompt(`${words}. The reason, which the owner reads:`);
      if (!reason) return;
      await ask("v1/decisions", "POST", { ...decision, reason });
      message.textContent = "Decided.";
      await open();
    },
    decision.isHidden ? "danger" : "",
  );
}

function suspending(account, isSuspended) {
  const item = { target: "person", id: account };
  return isSuspended
    ? deciding("End the suspension", { item, isHidden: false })
    : deciding("Suspend the account", { item, isHidden: true });
}

function card(title, lines, small, actions) {
  const made = element("article");
  made.append(element("h2", title));
  for (const [text, className] of lines) if (text) made.append(element("p", text, { className: className ?? "" }));
  if (small) made.append(element("small", small));
  const row = element("div", undefined, { className: "actions" });
  row.append(...actions);
  made.append(row);
  return made;
}

function reportCard(report) {
  const actions = [
    ...(report.target === "person" ? [] : [deciding("Hide", { report: report.number, isHidden: true })]),
    suspending(report.account, false),
    button("Dismiss", async () => {
      await ask(`v1/reports/${report.number}/dismiss`, "POST");
      await open();
    }),
  ];
  const who = report.reporter ?? "somebody without an account";
  const lines = [[report.shown.text ?? "Nothing is shown of it now.", "shown"], [`Reason: ${report.reason}`], [report.text]];
  return card(heading(report), lines, `${when(report.at)}, by ${who}. Id ${report.id}`, actions);
}

function decisionCard(decision) {
  const { target, id, account, drive } = decision;
  const item = { target, id, account, ...(drive ? { drive } : {}) };
  const verb = target === "person" ? ["suspended", "suspension ended"] : ["hidden", "shown again"];
  const undo =
    target === "person"
      ? suspending(account, decision.isHidden)
      : deciding(decision.isHidden ? "Show again" : "Hide", { item, isHidden: !decision.isHidden });
  return card(
    `${heading(decision)}: ${verb[decision.isHidden ? 0 : 1]}`,
    [[decision.reason]],
    `${when(decision.at)}. Id ${id}`,
    [undo],
  );
}

function accountCard(account) {
  const { handle, isSuspended, devices, documents, changes, bytes } = account;
  const use = `${(bytes / 1e6).toFixed(1)} MB, documents: ${documents}, changes: ${changes}, devices: ${devices}`;
  return card(
    `${handle ? `@${handle}` : account.account}${isSuspended ? " (suspended)" : ""}`,
    [[use]],
    `Since ${when(account.foundedAt)}. Id ${account.account}`,
    [suspending(account.account, isSuspended)],
  );
}

function invitationCard(invitation) {
  const { number, note, used, uses, expiresAt, isRevoked } = invitation;
  const state = isRevoked ? "revoked" : expiresAt < Date.now() ? "expired" : `until ${when(expiresAt)}`;
  const revoke = button(
    "Revoke",
    async () => {
      await ask(`v1/invitations/${number}`, "DELETE");
      await open();
    },
    "danger",
  );
  return card(`${note || `Invitation ${number}`}`, [[`${used} of ${uses} used, ${state}`]], "", isRevoked ? [] : [revoke]);
}

function invite() {
  const form = element("form");
  const note = element("input", undefined, { placeholder: "A note for yourself" });
  const uses = element("input", undefined, { type: "number", min: 1, max: 1000, value: 1, ariaLabel: "How many accounts" });
  form.append(note, uses, element("button", "Invite"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(async () => {
      const { code } = await ask("v1/invitations", "POST", { note: note.value, uses: Number(uses.value) });
      await open();
      message.textContent = `The invitation is ${code}. It is shown only now.`;
    });
  });
  return form;
}

const tabs = {
  reports: async () => (await ask("v1/reports")).reports.map(reportCard),
  anonymous: async () => (await ask("v1/reports?anonymous=true")).reports.map(reportCard),
  decisions: async () => (await ask("v1/decisions")).decisions.map(decisionCard),
  accounts: async () => (await ask("v1/accounts")).accounts.map(accountCard),
  invitations: async () => [invite(), ...(await ask("v1/invitations")).invitations.map(invitationCard)],
};
let tab = "reports";

async function open(name = tab) {
  tab = name;
  const cards = await tabs[tab]();
  enter.hidden = true;
  nav.hidden = false;
  for (const one of nav.children) one.setAttribute("aria-current", String(one.dataset.tab === tab));
  main.replaceChildren(...(cards.length > 0 ? cards : [element("p", "There is nothing here.")]));
}

nav.addEventListener("click", ({ target }) => target.dataset.tab && attempt(() => open(target.dataset.tab)));
enter.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("secret", document.querySelector("#secret").value.trim());
  document.querySelector("#secret").value = "";
  attempt(open);
});
if (sessionStorage.getItem("secret")) attempt(open);
