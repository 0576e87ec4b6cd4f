//! Decisions through the service.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use closemark_data::date;
use closemark_proto::v1;
use closemark_proto::v1::close_service_client::CloseServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::cli::{FinalizeArguments, OverrideArguments, ServiceArguments};

/// Longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection, with the token that goes with every call.
struct Remote {
    client: CloseServiceClient<Channel>,
    token: Option<AsciiMetadataValue>,
}

pub(super) fn finalize(arguments: &FinalizeArguments, server: &str) -> anyhow::Result<String> {
    let request = v1::FinalizeCloseRequest {
        name: format!("dates/{}/runs/{}", date::to_text(arguments.date), arguments.run),
        reason: arguments.reason.clone(),
        request_id: request_id(arguments.request_id.as_deref(), &["finalize", &arguments.run, &arguments.reason]),
    };
    block_on(async {
        let mut remote = connect(&arguments.service, server).await?;
        let request = remote.with_token(request);
        let close = remote.client.finalize_close(request).await.map_err(refused)?.into_inner();
        Ok(format!("{} is {}, by {}\n", close.name, close.state, close.state_set_by))
    })
}

pub(super) fn override_mark(arguments: &OverrideArguments, server: &str) -> anyhow::Result<String> {
    let answers = arguments.approve.len() + arguments.reject.len() + arguments.withdraw.len();
    let asked = answers + arguments.marks.len();
    if asked > 1 && arguments.request_id.is_some() {
        bail!("--request-id names one request, and {asked} are asked for; leave it out, and each has its own");
    }
    block_on(async {
        let mut remote = connect(&arguments.service, server).await?;
        let mut said = String::new();
        let answers = arguments.approve.iter().map(|name| (name, true));
        for (name, approve) in answers.chain(arguments.reject.iter().map(|name| (name, false))) {
            let word = if approve { "approve" } else { "reject" };
            let request = v1::ApproveOverrideRequest {
                name: name.clone(),
                approve,
                reason: arguments.reason.clone(),
                request_id: request_id(arguments.request_id.as_deref(), &[word, name, &arguments.reason]),
            };
            let request = remote.with_token(request);
            let answered = remote.client.approve_override(request).await.map_err(refused)?.into_inner();
            said.push_str(&line(&answered));
        }
        for name in &arguments.withdraw {
            let request = v1::WithdrawOverrideRequest {
                name: name.clone(),
                reason: arguments.reason.clone(),
                request_id: request_id(arguments.request_id.as_deref(), &["withdraw", name, &arguments.reason]),
            };
            let request = remote.with_token(request);
            let withdrawn = remote.client.withdraw_override(request).await.map_err(refused)?.into_inner();
            said.push_str(&line(&withdrawn));
        }
        let run = arguments.run.as_deref().unwrap_or("current");
        let parent = format!("dates/{}/runs/{run}", date::to_text(arguments.date));
        for (symbol, mark) in &arguments.marks {
            let micros = mark.micros();
            let text = micros.to_string();
            let request = v1::OverrideMarkRequest {
                parent: parent.clone(),
                osi_symbol: symbol.clone(),
                mark: Some(v1::Decimal { micros }),
                multiplier: arguments.multiplier,
                currency: arguments.currency.clone(),
                reason: arguments.reason.clone(),
                request_id: request_id(
                    arguments.request_id.as_deref(),
                    &["override", &parent, symbol, &text, &arguments.reason],
                ),
            };
            let request = remote.with_token(request);
            let proposed = remote.client.override_mark(request).await.map_err(refused)?.into_inner();
            said.push_str(&line(&proposed));
        }
        if said.is_empty() {
            bail!("nothing is asked for; allowed are SYMBOL=MARK and --approve, --reject or --withdraw NAME");
        }
        Ok(said)
    })
}

fn line(one: &v1::Override) -> String {
    let approver = if one.approver.is_empty() { String::new() } else { format!(", answered by {}", one.approver) };
    let withdrawn =
        if one.withdrawn_by.is_empty() { String::new() } else { format!(", withdrawn by {}", one.withdrawn_by) };
    format!("{} {} {} by {}{approver}{withdrawn}\n", one.name, one.osi_symbol, one.state, one.author)
}

/// The id that is given, or one that follows from what is asked: the same command twice is one request.
fn request_id(given: Option<&str>, parts: &[&str]) -> String {
    given.map_or_else(
        || {
            let mut hasher = blake3::Hasher::new();
            for part in parts {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            format!("cli-{}", hasher.finalize().to_hex().chars().take(32).collect::<String>())
        },
        ToOwned::to_owned,
    )
}

impl Remote {
    fn with_token<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }
}

async fn connect(arguments: &ServiceArguments, server: &str) -> anyhow::Result<Remote> {
    let mut endpoint = Endpoint::from_shared(server.to_owned())
        .with_context(|| format!("--server is {server:?}; allowed is https://host:port"))?
        .timeout(DEADLINE)
        .connect_timeout(DEADLINE);
    if server.starts_with("https:") {
        let mut tls = ClientTlsConfig::new();
        if let Some(file) = &arguments.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(file)?));
        }
        if let (Some(certificate), Some(key)) = (&arguments.client_certificate, &arguments.client_key) {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        endpoint = endpoint.tls_config(tls).context("TLS")?;
    } else if arguments.token_file.is_some() && !is_loopback(&endpoint) {
        bail!("a token goes over TLS only, or to loopback: --server https://host:port");
    }
    let token = match &arguments.token_file {
        None => None,
        Some(file) => {
            let text = String::from_utf8(read(file)?).context("the token is no text")?;
            let mut value: AsciiMetadataValue =
                format!("Bearer {}", text.trim()).parse().context("the token is no text of visible characters")?;
            value.set_sensitive(true);
            Some(value)
        }
    };
    let channel = endpoint.connect().await.with_context(|| format!("{server} does not answer"))?;
    Ok(Remote { client: CloseServiceClient::new(channel), token })
}

fn is_loopback(endpoint: &Endpoint) -> bool {
    endpoint.uri().host().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))
}

fn refused(status: Status) -> anyhow::Error {
    anyhow::anyhow!("{:?}: {}", status.code(), status.message())
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?.block_on(work)
}
