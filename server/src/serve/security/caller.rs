//! Who calls: found once for each call, before any handler runs, and asked for by handlers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tonic::{Code, Status};

use super::access::{AccessFile, Credential, Refusal};
use super::address::AddressRange;
use super::role::{Role, Roles};
use crate::serve::clock;
use crate::serve::config::ServeConfig;
use crate::serve::errors;

/// The name of whoever calls from loopback without credentials.
const ANONYMOUS: &str = "anonymous";

/// A caller whose credentials were checked.
///
/// A handler asks for it with [`Caller::of`]; which roles a method needs was checked before the handler runs, from the
/// one table in `role.rs`.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The caller's name in the access file.
    pub(crate) name: Arc<str>,
    /// What the caller may do, from where the caller is.
    pub(crate) roles: Roles,
    /// Where the caller is.
    pub(crate) peer: IpAddr,
    credential: Option<Credential>,
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// INTERNAL where the request did not come through the guard, which would be a fault of the service.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| errors::internal("finding the caller", &"no guard"))
    }

    /// Whether the caller showed no credentials.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.credential.is_none()
    }

    /// Refuses a caller without the role.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub(crate) fn require(&self, role: Role) -> Result<(), Status> {
        self.require_one_of(&[role])
    }

    /// Refuses a caller who has none of the roles; an empty list is met by everybody.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub(crate) fn require_one_of(&self, roles: &[Role]) -> Result<(), Status> {
        if roles.is_empty() || roles.iter().any(|role| self.roles.contains(*role)) {
            return Ok(());
        }
        let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        let words = words.join(" or ");
        Err(errors::error(
            Code::PermissionDenied,
            "ROLE_MISSING",
            format!("{} does not have the role {words} from this address", self.name),
            &[("role", &words)],
        ))
    }
}

/// Decides who callers are.
pub(crate) struct Access {
    file: Option<AccessFile>,
    anonymous: Roles,
    anonymous_name: Arc<str>,
    allow: [Vec<AddressRange>; 4],
}

impl Access {
    /// # Errors
    /// Where the access file cannot be read.
    pub(crate) fn new(config: &ServeConfig) -> anyhow::Result<Self> {
        let path = &config.security.access_file;
        let file = if path.as_os_str().is_empty() { None } else { Some(AccessFile::open(path)?) };
        // Names, once there are any, are the only way in.
        let anonymous = if file.is_some() { Roles::default() } else { Roles::of(&config.security.anonymous_roles) };
        let allow = &config.allow;
        let allow = [allow.ingest.clone(), allow.read.clone(), allow.operate.clone(), allow.override_marks.clone()];
        Ok(Self { file, anonymous, anonymous_name: ANONYMOUS.into(), allow })
    }

    /// Whether callers can have names here.
    pub(crate) fn knows_names(&self) -> bool {
        self.file.is_some()
    }

    /// Finds the caller from what the connection and the request show. A token goes before a certificate.
    ///
    /// # Errors
    /// UNAUTHENTICATED where credentials are shown that do not count.
    pub(crate) fn caller(
        &self,
        peer: SocketAddr,
        certificate: Option<[u8; 32]>,
        authorization: Option<&str>,
    ) -> Result<Caller, Status> {
        let token = match authorization {
            None => None,
            Some(text) => match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                    Some(Credential::of_token(token.trim()))
                }
                _ => return Err(unauthenticated("UNKNOWN_SCHEME", "the authorization header is no bearer token")),
            },
        };
        let peer = peer.ip().to_canonical();
        match token.or(certificate.map(Credential::Certificate)) {
            Some(credential) => self.named(peer, credential),
            None => {
                let roles = if peer.is_loopback() { self.anonymous } else { Roles::default() };
                let name = Arc::clone(&self.anonymous_name);
                Ok(Caller { name, roles: self.usable(roles, peer), peer, credential: None })
            }
        }
    }

    /// Whether the caller of a long stream still counts.
    ///
    /// # Errors
    /// UNAUTHENTICATED where the credentials were revoked or expired since; PERMISSION_DENIED where the role is gone.
    pub(crate) fn still(&self, caller: &Caller, role: Role) -> Result<(), Status> {
        match caller.credential {
            None => Ok(()),
            Some(credential) => self.named(caller.peer, credential)?.require(role),
        }
    }

    fn named(&self, peer: IpAddr, credential: Credential) -> Result<Caller, Status> {
        let Some(file) = &self.file else {
            return Err(unauthenticated("UNKNOWN_CREDENTIALS", "no access file is configured"));
        };
        let entry = file.find(&credential, clock::now()).map_err(|refusal| match refusal {
            Refusal::Unknown => unauthenticated("UNKNOWN_CREDENTIALS", "the credentials are unknown"),
            Refusal::Expired => unauthenticated("EXPIRED_CREDENTIALS", "the credentials have expired"),
            Refusal::Revoked => unauthenticated("REVOKED_CREDENTIALS", "the credentials were revoked"),
            Refusal::Unreadable => unauthenticated("ACCESS_FILE", "the access file cannot be read"),
        })?;
        Ok(Caller { name: entry.name, roles: self.usable(entry.roles, peer), peer, credential: Some(credential) })
    }

    /// The roles of which an address list lets the peer make use.
    fn usable(&self, roles: Roles, peer: IpAddr) -> Roles {
        let allowed = |role: &Role| {
            let ranges = self.allow.get(*role as usize).map_or(&[][..], Vec::as_slice);
            ranges.is_empty() || ranges.iter().any(|range| range.contains(peer))
        };
        roles.iter().filter(allowed).collect()
    }
}

/// Nobody, as far as the service can tell.
pub(crate) fn unauthenticated(reason: &str, message: &str) -> Status {
    errors::error(Code::Unauthenticated, reason, message, &[])
}
