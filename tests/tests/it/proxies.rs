//! The relay behind the real nginx and the real Caddy, with the configurations of README.md and TLS: pages, sync, event
//! streams, links.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_tests::client::{Device, Document};
use tourismo_tests::daemon::{Daemon, Start};

const README: &str = include_str!("../../../README.md");

/// A wait that is too long for any machine, so that its end is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy with a configuration in README.md.
#[derive(Clone, Copy, Debug)]
enum Proxy {
    Nginx,
    Caddy,
}

/// A relay behind a proxy, and its address for clients.
struct Proxied {
    relay: Daemon,
    _proxy: Child,
    /// Adds TLS for clients without it, so that they can dial `https://` and this address.
    front: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Proxied {
    /// Starts a relay whose `--public-url` is the given one, or else its address for clients.
    async fn start(proxy: Proxy, public_url: Option<&str>) -> anyhow::Result<Proxied> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let front = listener.local_addr()?;
        let public_url = public_url.map_or_else(|| format!("https://{front}"), str::to_owned);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("index.html"), "<!doctype html><title>Tourismo</title>")?;
        let mut start = Start::on(&folder.path().join("relay.sqlite"));
        start.arguments = ["--trust-proxy", "--public-url", &public_url, "--pwa"].map(Into::into).to_vec();
        start.arguments.push(folder.path().into());
        let relay = start.start().await?;
        let proxy_addr = free_address().await?;
        let mut command = proxy.command(folder.path(), relay.addr(), proxy_addr)?;
        let mut running = command.kill_on_drop(true).spawn().context("tests/setup.sh test installs nginx and Caddy")?;
        while TcpStream::connect(proxy_addr).await.is_err() {
            ensure!(running.try_wait()?.is_none(), "{proxy:?} ended");
            sleep(Duration::from_millis(20)).await;
        }
        tls_front(listener, proxy_addr);
        Ok(Proxied { relay, _proxy: running, front, _folder: folder })
    }

    /// Sends a request and returns the answer up to the end of the connection or to the text `until`.
    async fn ask(&self, path: &str, headers: &str, until: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.front).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.front);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let read = async {
            loop {
                let mut bytes = [0; 4 << 10];
                let count = stream.read(&mut bytes).await?;
                answer.extend(&bytes[..count]);
                let text = String::from_utf8_lossy(&answer);
                if count == 0 || (!until.is_empty() && text.contains(until)) {
                    return anyhow::Ok(text.into_owned());
                }
            }
        };
        timeout(PATIENCE, read).await.context("the proxy keeps what should come at once")?
    }

    async fn upgrade_from(&self, origin: &str) -> anyhow::Result<String> {
        let headers = format!(
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: {origin}\r\n"
        );
        Ok(self.ask("/v1/sync", &headers, "\r\n\r\n").await?[9..12].to_owned())
    }
}

impl Proxy {
    /// README.md's configuration, with its addresses and files replaced by those of this test.
    fn command(self, folder: &Path, relay: SocketAddr, listen: SocketAddr) -> anyhow::Result<Command> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=relay.example", "-addext", "subjectAltName=DNS:relay.example", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status()?;
        ensure!(made.success(), "openssl makes no certificate");
        let (certificate, key) = (certificate.display(), key.display());
        match self {
            Proxy::Nginx => {
                let site = block("nginx")?
                    .with("listen 443 ssl", &format!("listen {listen} ssl"))?
                    .with("/etc/ssl/relay.example.pem", &certificate.to_string())?
                    .with("/etc/ssl/relay.example.key", &key.to_string())?
                    .with("127.0.0.1:8080", &relay.to_string())?;
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("{name}_temp_path {};\n", folder.join(name).display()))
                    .concat();
                let file = folder.join("nginx.conf");
                let around = format!(
                    "daemon off;\nmaster_process off;\npid {0}/nginx.pid;\nerror_log stderr warn;\nevents {{}}\n\
                     http {{\naccess_log off;\n{temporary}\n{1}\n}}\n",
                    folder.display(),
                    site.0
                );
                std::fs::write(&file, around)?;
                // On Debian, nginx is not in the `PATH` of unprivileged users.
                let mut places = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].map(PathBuf::from).into_iter();
                let mut command = Command::new(places.find(|path| path.exists()).unwrap_or_else(|| "nginx".into()));
                command.arg("-c").arg(&file).arg("-p").arg(folder);
                Ok(command)
            }
            Proxy::Caddy => {
                let own = format!("https://:{} {{\n    bind 127.0.0.1\n    tls {certificate} {key}\n", listen.port());
                let site =
                    block("caddy")?.with("relay.example {\n", &own)?.with("127.0.0.1:8080", &relay.to_string())?;
                let file = folder.join("Caddyfile");
                std::fs::write(&file, format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{}", site.0))?;
                let mut command = Command::new("caddy");
                command.arg("run").arg("--config").arg(&file).env("HOME", folder).stderr(Stdio::null());
                command.env("XDG_CONFIG_HOME", folder).env("XDG_DATA_HOME", folder);
                Ok(command)
            }
        }
    }
}

/// A code block of README.md.
struct Block(String);

fn block(language: &str) -> anyhow::Result<Block> {
    let block = README.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next());
    Ok(Block(block.with_context(|| format!("README.md has no block for {language}"))?.to_owned()))
}

impl Block {
    fn with(self, from: &str, to: &str) -> anyhow::Result<Block> {
        ensure!(self.0.contains(from), "README.md's block has no {from}");
        Ok(Block(self.0.replace(from, to)))
    }
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?)
}

/// Accepts connections without TLS, and forwards them over TLS to an address.
fn tls_front(listener: TcpListener, to: SocketAddr) {
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut command = Command::new("openssl");
            command.args(["s_client", "-quiet", "-connect", &to.to_string(), "-servername", "relay.example"]);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
            let Ok(mut tls) = command.spawn() else { return };
            tokio::spawn(async move {
                let (Some(input), Some(output)) = (tls.stdin.take(), tls.stdout.take()) else { return };
                let _ = tokio::io::copy_bidirectional(&mut client, &mut tokio::io::join(output, input)).await;
                // If it were dropped, the process would end.
                drop(tls);
            });
        }
    });
}

#[tokio::test]
async fn behind_nginx_as_the_readme_has_it_pages_sync_streams_and_links_work() -> anyhow::Result<()> {
    everything_works_behind(Proxy::Nginx).await
}

#[tokio::test]
async fn behind_caddy_as_the_readme_has_it_pages_sync_streams_and_links_work() -> anyhow::Result<()> {
    everything_works_behind(Proxy::Caddy).await
}

async fn everything_works_behind(proxy: Proxy) -> anyhow::Result<()> {
    let proxied = Proxied::start(proxy, None).await?;
    let host = proxied.front;
    let page = proxied.ask("/", "connection: close\r\n", "").await?;
    ensure!(page.starts_with("HTTP/1.1 200") && page.contains("<title>Tourismo</title>"), "{page}");

    let device = Device::founder([1; 32]);
    let mut client = device.connect_as(&format!("https://{host}"), host, Ipv4Addr::LOCALHOST.into()).await?;
    ensure!(device.connect(host).await.is_err(), "http is another origin");
    let (hash, offer) = Document::new(device.key(), [1; 16], DocKind::Car).change(100);
    client.push(vec![offer]).await?;
    assert_eq!(client.answers(1).await?.acked, [hash]);

    assert_eq!(proxied.upgrade_from(&format!("https://{host}")).await?, "101");
    assert_eq!(proxied.upgrade_from("https://evil.example").await?, "403");

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let token = device.read_token(&client, Timestamp(now.as_millis() as i64 + 3_600_000));
    let stream = proxied.ask("/v1/me/feed/live", &format!("authorization: Bearer {token}\r\n"), "event: open").await?;
    ensure!(stream.starts_with("HTTP/1.1 200"), "{stream}");

    let feed = proxied.ask("/v1/feed/public.atom", "connection: close\r\n", "").await?;
    ensure!(feed.contains(&format!("\"https://{host}/v1/feed/public.atom\"")), "{feed}");
    proxied.relay.stop().await
}

#[tokio::test]
async fn behind_nginx_a_public_url_is_what_links_and_the_origin_check_derive_from() -> anyhow::Result<()> {
    let proxied = Proxied::start(Proxy::Nginx, Some("https://relay.example")).await?;
    assert_eq!(proxied.upgrade_from("https://relay.example").await?, "101");
    assert_eq!(proxied.upgrade_from(&format!("https://{}", proxied.front)).await?, "403");
    let feed = proxied.ask("/v1/feed/public.atom", "connection: close\r\n", "").await?;
    ensure!(feed.contains("\"https://relay.example/v1/feed/public.atom\""), "{feed}");
    proxied.relay.stop().await
}
