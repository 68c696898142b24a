//! The pages in a real browser without scripts, 360 pixels wide: nothing is wider than the screen, and forms do what they say. Screenshots are kept under
//! `target/tmp/faces`. Where there is no Chromium, a line says so and nothing is tested.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::support::{BORROWERS, PASSWORD, PIN, Stage, phone};
use serde_json::{Value, json};

/// Chromium, driven through its debugging pipe: messages in JSON, each with a zero byte behind it.
struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    last: u64,
    base: String,
    _profile: tempfile::TempDir,
}

fn find() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file())
}

impl Chromium {
    fn start(base: &str, is_dark: bool) -> Option<Self> {
        let program = find()?;
        let profile = tempfile::tempdir().unwrap();
        // The pipe is file 3 to the browser and 4 from it.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
            ])
            .args(["--no-first-run", "--disable-extensions", "--hide-scrollbars", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut this =
            Self { child, to, from, session: String::new(), last: 0, base: base.to_owned(), _profile: profile };
        let target = this.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = this.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        this.session = attached["sessionId"].as_str().unwrap().to_owned();
        this.call("Page.enable", json!({}));
        this.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        let scheme = json!({"name": "prefers-color-scheme", "value": if is_dark { "dark" } else { "light" }});
        this.call("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
        let metrics = json!({"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true});
        this.call("Emulation.setDeviceMetricsOverride", metrics);
        Some(this)
    }

    fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        self.last
    }

    fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, &params);
        loop {
            let message = self.next();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Does something that leads to another page, and waits for it.
    fn lead(&mut self, method: &str, params: &Value) {
        let id = self.send(method, params);
        let (mut is_answered, mut is_loaded) = (false, false);
        while !(is_answered && is_loaded) {
            let message = self.next();
            is_answered |= message["id"] == id;
            is_loaded |= message["method"] == "Page.loadEventFired";
        }
    }

    fn open(&mut self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.lead("Page.navigate", &json!({"url": url}));
        self.fits();
    }

    fn value(&mut self, expression: &str) -> Value {
        self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}))["result"]["value"]
            .clone()
    }

    /// Nothing makes the page wider than the screen.
    fn fits(&mut self) {
        let wide = self.value("document.documentElement.scrollWidth");
        let path = self.value("location.pathname");
        assert_eq!(wide, 360, "{path} is {wide} pixels wide");
    }

    /// Types into a field, as a person does.
    fn type_into(&mut self, id: &str, text: &str) {
        self.value(&format!("document.getElementById('{id}').focus()"));
        self.call("Input.insertText", json!({"text": text}));
        assert_eq!(self.value(&format!("document.getElementById('{id}').value")), text, "{id}");
    }

    /// Presses what is found at a place of the page.
    fn press(&mut self, selector: &str) {
        let place = format!(
            "(() => {{ const found = document.querySelector({selector:?}); if (!found) return null; found.scrollIntoView({{block: 'center'}});
                const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2, box.height]; }})()"
        );
        let place = self.value(&place);
        assert!(place.is_array(), "there is no {selector} on {}", self.value("document.body.innerText"));
        assert!(place[2].as_f64().unwrap() >= 20.0, "{selector} is too small for a finger");
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.send("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses what leads to another page.
    fn follow(&mut self, selector: &str) {
        self.press(selector);
        loop {
            if self.next()["method"] == "Page.loadEventFired" {
                break;
            }
        }
        self.fits();
    }

    fn text(&mut self) -> String {
        self.value("document.querySelector('main').innerText").as_str().unwrap().to_owned()
    }

    /// Keeps a picture of the whole page.
    fn picture(&mut self, name: &str) {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let bytes = decode(shot["data"].as_str().unwrap());
        assert!(bytes.starts_with(b"\x89PNG"), "{name}");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("faces");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.session.clear();
        self.send("Browser.close", &json!({}));
        let _ = self.child.wait();
    }
}

/// Base 64, as JSON carries pictures.
fn decode(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{byte} is no digit of base 64"),
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        bytes.extend(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

fn sign_in(browser: &mut Chromium, number: u32) {
    browser.open("/sign-in");
    browser.type_into("phone", &phone(number));
    browser.type_into("pin", PIN);
    browser.follow("main button");
}

fn staff(browser: &mut Chromium, role: &str) {
    browser.open("/staff");
    browser.type_into("account", &format!("{role}-1"));
    browser.type_into("password", PASSWORD);
    browser.follow("main button");
}

/// A borrower asks, an officer and an approver decide, the borrower accepts.
fn journey(browser: &mut Chromium) {
    sign_in(browser, 30);
    browser.follow("a[href='/me/apply']");
    browser.type_into("amount", "12,000");
    browser.type_into("instalments", "4");
    browser.follow("main form[method=get] button");
    browser.picture("borrower-estimate");
    assert!(browser.text().contains("11,760"), "two percent are kept back: {}", browser.text());
    browser.follow("main form[method=post] button");
    browser.picture("borrower-asked");
    let shown = browser.text();
    let code = shown.split("Loan ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned();
    browser.follow("button.link");
    staff(browser, "officer");
    browser.picture("officer-queue");
    let loan = browser.value(&format!(
        "[...document.querySelectorAll('main td a')].find(link => link.textContent === '{code}')?.getAttribute('href')"
    ));
    browser.follow(&format!("a[href='{}']", loan.as_str().unwrap()));
    browser.follow("form[action$='/review'] button");
    browser.follow("form[action$='/offer'] button");
    browser.picture("officer-loan");
    browser.follow("button.link");
    staff(browser, "approver");
    browser.open("/officer/approvals");
    browser.picture("officer-approvals");
    browser.follow(".pair form:first-child button");
    browser.follow("button.link");
    sign_in(browser, 30);
    browser.follow("a[href='/me/offer']");
    browser.picture("borrower-offer");
    browser.press("input[name=read]");
    browser.type_into("pin", PIN);
    browser.follow("form[action='/me/offer/accept'] button");
    assert!(
        browser.text().contains("accepted")
            || browser.text().contains("on its way")
            || browser.text().contains("due on")
    );
}

/// Pages with many figures and long words.
fn gallery(browser: &mut Chromium, scheme: &str) {
    for (language, path) in [
        ("en", "/"),
        ("hi", "/learn/cost"),
        ("yo", "/"),
        ("en", "/figures"),
        ("sw", "/lend"),
        ("ha", "/sign-in"),
        ("tw", "/figures"),
    ] {
        browser.open(&format!("{path}?lang={language}"));
        browser.picture(&format!("{scheme}{}-{language}", path.replace('/', "-")));
    }
    browser.open("/?lang=en");
    sign_in(browser, 5);
    for path in ["/me", "/me/pay", "/me/receipts"] {
        browser.open(path);
        browser.picture(&format!("{scheme}{}", path.replace('/', "-")));
    }
    browser.follow("main a[href^='/me/receipts/']");
    browser.picture(&format!("{scheme}-me-receipt"));
    browser.open("/me");
    browser.follow("a[href^='/me/statement/']");
    browser.picture(&format!("{scheme}-me-statement"));
    browser.follow("button.link");
    staff(browser, "auditor");
    for path in ["/audit", "/audit/days", "/audit/journal", "/audit/journal/1", "/audit/log"] {
        browser.open(path);
        browser.picture(&format!("{scheme}{}", path.replace('/', "-")));
    }
    browser.follow("button.link");
    staff(browser, "treasurer");
    for path in ["/officer/collections", "/officer/money"] {
        browser.open(path);
        browser.picture(&format!("{scheme}{}", path.replace('/', "-")));
    }
    browser.follow("button.link");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a browser beside other tests takes its time: make pictures"]
async fn people_with_a_small_screen_get_everything_done() {
    if find().is_none() {
        println!("no Chromium here: the pages are not looked at in a browser");
        return;
    }
    let stage = Stage::seeded().await;
    assert_eq!(BORROWERS, 12);
    stage.person(30).await;
    let base = stage.client.base.clone();
    // The browser waits without giving way to others.
    tokio::task::spawn_blocking(move || {
        let mut light = Chromium::start(&base, false).unwrap();
        gallery(&mut light, "light");
        journey(&mut light);
        drop(light);
        let mut dark = Chromium::start(&base, true).unwrap();
        gallery(&mut dark, "dark");
    })
    .await
    .unwrap();
}
