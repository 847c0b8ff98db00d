//! The same exchange many times, counted exactly.

use super::exchange;
use crate::clock::{self, Deadline, micros};
use crate::fault::{internal, invalid};
use crate::wire::{Failure, FailureKind, HttpMany, HttpManyAnswer, HttpManyOne, Stage};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The most exchanges of one question.
pub const MAX_COUNT: u32 = 10_000;

/// The most bytes of all bodies together that are given back.
const MAX_BODIES: u64 = 8 * 1024 * 1024;

/// The most exchanges at once.
const MAX_CONCURRENCY: u32 = 256;

/// Makes the exchanges; none is ever repeated.
///
/// # Errors
/// `invalid` when too many are asked for, or when the request cannot be written.
pub async fn run(many: &HttpMany, deadline: Deadline) -> Result<HttpManyAnswer, Failure> {
    if many.count > MAX_COUNT {
        return Err(invalid(format!("more than {MAX_COUNT} exchanges")));
    }
    super::request::build(&many.request)?;
    let many = Arc::new(many.clone());
    let room = Arc::new(AtomicU64::new(MAX_BODIES));
    let permits = Arc::new(Semaphore::new(many.concurrency.clamp(1, MAX_CONCURRENCY) as usize));
    let spacing = Duration::from_millis(many.spacing_ms);
    let mut next = Instant::now();
    let mut tasks = JoinSet::new();
    let mut begun = 0;
    for index in 0..many.count {
        let ready = async {
            tokio::time::sleep_until(next).await;
            Arc::clone(&permits).acquire_owned().await
        };
        let Ok(Ok(permit)) = deadline.run(Stage::Send, ready).await else { break };
        next = Instant::now() + spacing;
        begun += 1;
        let (many, room) = (Arc::clone(&many), Arc::clone(&room));
        tasks.spawn(async move {
            let one = one(&many, &room, deadline).await;
            drop(permit);
            (index, one)
        });
    }
    let mut each = BTreeMap::new();
    while let Some(joined) = tasks.join_next().await {
        let (index, one) = joined.map_err(|error| internal(Stage::System, error.to_string()))?;
        each.insert(index, one);
    }
    Ok(tally(each.into_values().collect(), many.count - begun))
}

async fn one(many: &HttpMany, room: &AtomicU64, deadline: Deadline) -> HttpManyOne {
    let at_us = clock::now().at_us;
    let start = Instant::now();
    let left_ms = u64::try_from(deadline.left().as_millis()).unwrap_or(u64::MAX);
    let own = Deadline::after_ms(many.request.timeout_ms.min(left_ms));
    let result = exchange(&many.request, own).await;
    let elapsed_us = micros(start.elapsed());
    let mut one =
        HttpManyOne { at_us, elapsed_us, status: None, failure: None, peer: None, body: None, headers: Vec::new() };
    match result {
        Err(failure) => {
            one.peer = failure.peer.filter(|_| failure.stage != Stage::Resolve);
            one.failure = Some(failure);
        }
        Ok(answer) => {
            one.status = Some(answer.status);
            one.failure = answer.body_fault;
            one.peer = Some(answer.peer);
            let wanted = |name: &str| many.keep_headers.iter().any(|kept| kept.eq_ignore_ascii_case(name));
            one.headers = answer.headers.into_iter().filter(|(name, _)| wanted(name)).collect();
            let length = answer.body.len() as u64;
            let fits = |left: u64| left.checked_sub(length);
            if many.keep_bodies && room.try_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok() {
                one.body = Some(answer.body);
            }
        }
    }
    one
}

fn tally(each: Vec<HttpManyOne>, not_begun: u32) -> HttpManyAnswer {
    let (mut sent, mut maybe_sent) = (0, 0);
    let mut by_status: BTreeMap<u16, u64> = BTreeMap::new();
    let mut by_failure: BTreeMap<FailureKind, u64> = BTreeMap::new();
    for one in &each {
        match (one.status, &one.failure) {
            (Some(status), _) => {
                sent += 1;
                *by_status.entry(status).or_default() += 1;
            }
            (None, Some(failure)) => {
                match failure.stage {
                    Stage::Head | Stage::Body => sent += 1,
                    Stage::Send => maybe_sent += 1,
                    _ => {}
                }
                *by_failure.entry(failure.kind).or_default() += 1;
            }
            (None, None) => {}
        }
    }
    HttpManyAnswer { sent, maybe_sent, not_begun: u64::from(not_begun), by_status, by_failure, each }
}
