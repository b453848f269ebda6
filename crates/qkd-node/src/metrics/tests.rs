use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use tonic::codegen::{Service, http};

use super::page::Page;
use super::*;
use crate::config::EvePosition;
use crate::quantum::{Stand, Tap};
use crate::status::StatusBoard;

/// Answers every call with this code in its first headers, as a refused call is answered.
#[derive(Clone)]
struct Refusing(Option<&'static str>);

impl Service<http::Request<()>> for Refusing {
    type Response = http::Response<()>;
    type Error = Infallible;
    type Future = Ready<std::result::Result<Self::Response, Infallible>>;

    fn poll_ready(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: http::Request<()>) -> Self::Future {
        let mut answer = http::Response::builder();
        if let Some(code) = self.0 {
            answer = answer.header("grpc-status", code);
        }
        ready(Ok(answer.body(()).unwrap()))
    }
}

async fn count(times: &CallTimes, (path, code): (&str, Option<&'static str>)) -> String {
    let mut service = Timed::new(Refusing(code), times.clone());
    let request = http::Request::builder().uri(path).body(()).unwrap();
    service.call(request).await.unwrap();
    let page = Page::new();
    page.add(times.clone()).unwrap();
    page.text().unwrap()
}

#[tokio::test]
async fn calls_are_told_apart_by_method_and_outcome_and_strange_ones_are_one() {
    let times = CallTimes::of_delivery().unwrap();
    let name = "qkd_delivery_request_duration_seconds_count";
    let text = count(&times, ("/qkd.delivery.v1.KeyDelivery/GetKey", None)).await;
    let line = format!("{name}{{code=\"OK\",method=\"GetKey\"}} 1");
    assert!(text.contains(&line), "{text}");
    let untouched = format!("{name}{{code=\"OK\",method=\"GetStatus\"}} 0");
    assert!(text.contains(&untouched), "{text}");
    count(&times, ("/qkd.delivery.v1.KeyDelivery/GetKey", Some("16"))).await;
    count(&times, ("/qkd.delivery.v1.KeyDelivery/A", Some("12"))).await;
    let text = count(&times, ("/qkd.delivery.v1.KeyDelivery/B", Some("12"))).await;
    let refused = format!("{name}{{code=\"UNAUTHENTICATED\",method=\"GetKey\"}} 1");
    assert!(text.contains(&refused), "{text}");
    let strange = format!("{name}{{code=\"UNIMPLEMENTED\",method=\"other\"}} 2");
    assert!(text.contains(&strange), "{text}");
}

#[test]
fn a_name_stands_on_a_page_once_and_values_of_labels_are_escaped() {
    let page = Page::new();
    let help = "Help.";
    page.gauges("qkd_x", help, ["label"], [(["a\"b\\c\nd"], 0.25)])
        .unwrap();
    assert!(page.gauge("qkd_x", help, 1.0).is_err());
    assert_eq!(
        page.text().unwrap(),
        "# HELP qkd_x Help.\n# TYPE qkd_x gauge\nqkd_x{label=\"a\\\"b\\\\c\\nd\"} 0.25\n"
    );
}

#[test]
fn eves_page_says_what_she_did_and_whether_her_light_arrives() {
    let board = StatusBoard::default();
    board.fibre(Some("light goes nowhere".to_owned()));
    let metrics = EveMetrics {
        name: "eve".to_owned(),
        tap: Tap::new("passive", Stand::new(EvePosition::BobsDoor, 0.0)).unwrap(),
        board,
    };
    let text = metrics.text().unwrap();
    for line in [
        "qkd_eve_frames_total{result=\"corrupt\"} 0",
        "qkd_eve_pulses_total{action=\"intercepted\"} 0",
        "qkd_eve_returned_photons_total 0",
        "qkd_fibre_dark 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
