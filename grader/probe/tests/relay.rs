//! A relay in front of a server that speaks just enough of PostgreSQL.

use grader_probe::relay::Relay;
use grader_probe::relay::frame::message;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

/// Answers any session « authenticated, ready » and any query by one row of a timestamp.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(session(stream));
        }
    });
    port
}

async fn session(mut stream: TcpStream) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    let mut first = vec![0; length as usize - 4];
    stream.read_exact(&mut first).await?;
    if first.starts_with(&80_877_102_u32.to_be_bytes()) {
        return stream.write_all(b"cancelled").await;
    }
    assert_eq!(first[..4], [0, 3, 0, 0], "the relay must keep SSLRequest to itself");
    stream.write_all(&[message(b'R', &[0; 4]), message(b'Z', b"I")].concat()).await?;
    loop {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body).await?;
        if kind == b'Q' {
            let columns = b"\0\x01at\0\0\0\0\0\0\0\0\0\x04\xa0\0\x08\xff\xff\xff\xff\0\0";
            let row = b"\0\x01\0\0\0\x162025-11-21 01:24:33+00";
            let answer =
                [message(b'T', columns), message(b'D', row), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")]
                    .concat();
            // In two parts, to be put together by the relay.
            stream.write_all(&answer[..50]).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(&answer[50..]).await?;
        }
    }
}

async fn relay(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let own = listener.local_addr().expect("bound").port();
    tokio::spawn(Relay { host: "127.0.0.1".into(), port, years: 8 }.run(listener));
    own
}

#[tokio::test]
async fn a_date_is_moved_on_its_way() {
    let port = relay(server().await).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the relay");
    for request in [80_877_103_u32, 80_877_104] {
        stream.write_all(&[8_u32.to_be_bytes(), request.to_be_bytes()].concat()).await.expect("sent");
        assert_eq!(stream.read_u8().await.ok(), Some(b'N'));
    }
    let (client, connection) = Config::new().user("u").dbname("d").connect_raw(stream, NoTls).await.expect("a session");
    tokio::spawn(connection);
    let messages = client.simple_query("select now()").await.expect("an answer");
    let at = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    assert_eq!(at, Some("2033-11-21 01:24:33+00"));
}

#[tokio::test]
async fn what_is_not_a_session_goes_through() {
    let port = relay(server().await).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the relay");
    stream.write_all(&[16_u32, 80_877_102, 1, 2].map(u32::to_be_bytes).concat()).await.expect("sent");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.expect("an end");
    assert_eq!(said, "cancelled");
}

#[tokio::test]
async fn an_absent_server_is_a_reset_and_a_late_one_is_waited_for() {
    let late =
        TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a port").port();
    let port = relay(late).await;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the relay");
    let listener = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        TcpListener::bind(("127.0.0.1", late)).await.expect("still free").accept().await.map(|(stream, _)| stream)
    });
    stream.write_all(b"\x16\x03\x01").await.expect("sent");
    let mut upstream = listener.await.expect("joined").expect("the relay came");
    let mut bytes = [0; 3];
    upstream.read_exact(&mut bytes).await.expect("what the client said");
    assert_eq!(&bytes, b"\x16\x03\x01");

    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the relay");
    let end = tokio::time::timeout(Duration::from_secs(4), stream.read_u8()).await.expect("no more than two seconds");
    assert_eq!(end.map_err(|error| error.kind()), Err(std::io::ErrorKind::ConnectionReset));
}
