//! A running service and its clients.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use closemark_proto::v1;
use closemark_proto::v1::quote_service_client::QuoteServiceClient;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};

/// A service that ends with its owner.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) operations: SocketAddr,
    pub(crate) folder: PathBuf,
}

impl Server {
    /// Starts the service over a folder of its own state. `settings` are variables such as `LIMITS_CALLS_MAX=4`.
    pub(crate) fn start(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let errors = File::options().create(true).append(true).open(folder.join("log.txt")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_closemark"));
        command.arg("serve").stdout(Stdio::piped()).stderr(errors);
        let defaults = [
            ("SERVER_LISTEN", "127.0.0.1:0"),
            ("SERVER_OPERATIONS_LISTEN", "127.0.0.1:0"),
            ("SERVER_DRAIN_SECONDS_MAX", "60"),
            // The day of the tests is what it is, whatever the clock says.
            ("LIMITS_INGEST_DAYS_BACK_MAX", "200000"),
            ("LIMITS_INGEST_DAYS_AHEAD_MAX", "200000"),
            ("LOGGING_FORMAT", "json"),
            ("LOGGING_FILTER", "debug"),
        ];
        command.env("CLOSEMARK_STORAGE_FOLDER", folder.join("state"));
        for (key, value) in defaults.iter().chain(settings) {
            command.env(format!("CLOSEMARK_{key}"), value);
        }
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = || -> SocketAddr {
            let line = said.next().map(|line| line.unwrap());
            let line = line.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(folder.join("log.txt")).unwrap()));
            line.rsplit('/').next().unwrap().parse().unwrap()
        };
        let (address, operations) = (address(), address());
        Self { child, address, operations, folder: folder.to_owned() }
    }

    /// Kills the process at once, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and waits until it has; whether it ended well.
    pub(crate) fn terminate(mut self) -> bool {
        self.signal("TERM");
        self.child.wait().unwrap().success()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// A plain connection.
    pub(crate) async fn channel(&self) -> Channel {
        endpoint(format!("http://{}", self.address)).connect().await.unwrap()
    }

    /// Everything that was logged.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(self.folder.join("log.txt")).unwrap()
    }

    /// What the operations port answers: the status line's code, and the body.
    pub(crate) fn operations(&self, path: &str) -> (u16, String) {
        http(self.operations, path)
    }

    /// Where closes are published.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.join("state/out")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An endpoint with a deadline, so that no test waits for ever.
pub(crate) fn endpoint(uri: String) -> Endpoint {
    Endpoint::from_shared(uri).unwrap().timeout(Duration::from_secs(120)).connect_timeout(Duration::from_secs(20))
}

/// One HTTP/1.1 request, by hand.
pub(crate) fn http(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let code = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    (code, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// The code, the reason for programs, and all details of a refusal.
pub(crate) fn refusal(status: &Status) -> (tonic::Code, String, ErrorDetails) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    (status.code(), reason, details)
}

/// An open ingest stream.
pub(crate) struct Ingest {
    batches: Option<tokio::sync::mpsc::Sender<v1::IngestQuotesRequest>>,
    answers: Streaming<v1::IngestQuotesResponse>,
}

impl Ingest {
    pub(crate) async fn open(channel: Channel) -> Result<Self, Status> {
        let (batches, receiver) = tokio::sync::mpsc::channel(4);
        let mut client = QuoteServiceClient::new(channel);
        let answers = client.ingest_quotes(ReceiverStream::new(receiver)).await?.into_inner();
        Ok(Self { batches: Some(batches), answers })
    }

    /// Sends a batch and waits for its answer.
    pub(crate) async fn send(&mut self, batch: v1::IngestQuotesRequest) -> Result<v1::IngestQuotesResponse, Status> {
        // A stream that has ended says why in its answer.
        let _ = self.batches.as_ref().unwrap().send(batch).await;
        self.answer().await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<v1::IngestQuotesResponse, Status> {
        self.answers.message().await.map(|answer| answer.expect("an answer"))
    }

    /// Ends the stream; whether it ended well.
    pub(crate) async fn end(mut self) -> Result<(), Status> {
        self.batches = None;
        self.answers.message().await.map(|answer| assert_eq!(answer, None))
    }
}
