//! The page about a run, looked at in a real browser.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::support::Project;

/// What a browser makes of the page: measured by a script that only the test puts in.
fn look(page: &Path, width: u32, scheme: &str) -> Value {
    const MEASURE: &str = "<script>document.title = JSON.stringify({
        wide: document.documentElement.scrollWidth, width: innerWidth,
        ground: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
        bars: [...document.querySelectorAll('.bar i.ready')].filter(bar => bar.getBoundingClientRect().width > 0).length,
        text: document.body.innerText})</script></body>";
    let text = std::fs::read_to_string(page).expect("the page");
    assert!(!text.contains("<script") && !text.contains("http-equiv=\"refresh\""), "{text}");
    let start = text.find("<meta http-equiv=\"Content-Security-Policy\"").expect("a policy");
    let end = start + text[start..].find('>').expect("its end");
    let measured = format!("{}{}", &text[..start], &text[end + 1..]).replace("</body>", MEASURE);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    std::fs::write(&file, measured).expect("a file");
    let dark = if scheme == "dark" { 0 } else { 1 };
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={dark}"))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium runs");
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or_default();
    let title = title.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&title).unwrap_or_else(|error| panic!("{error}: {dom}"))
}

#[test]
fn a_page_is_readable_in_light_dark_and_on_a_telephone() {
    let project = Project::pushed("page");
    let page = project.root().join("report.html");
    project.run(&["deploy", "--report", "report.html"]).expect(0);
    let drawn = std::fs::read_to_string(&page).expect("the page");
    assert!(drawn.contains(", pulled ") && drawn.contains(", started "), "{drawn}");
    let (light, dark, narrow) = (look(&page, 1200, "light"), look(&page, 1200, "dark"), look(&page, 500, "dark"));
    assert_eq!((&light["ground"], &dark["ground"]), (&"rgb(255, 255, 255)".into(), &"rgb(13, 17, 23)".into()));
    assert_ne!(light["ink"], dark["ink"]);
    for seen in [&light, &dark, &narrow] {
        assert!(seen["wide"].as_u64() <= seen["width"].as_u64(), "wider than the window: {seen}");
        assert_eq!(seen["bars"], 2, "a bar for each pod that got ready: {seen}");
        let text = seen["text"].as_str().unwrap_or_default();
        for part in [project.app.as_str(), "done", "deployment/web", "created", "proven on 2 pods"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}

#[test]
fn a_page_says_why_a_run_failed_and_one_that_cannot_be_written_stops_it() {
    let project = Project::pushed("whypage");
    project.run(&["deploy", "--report", "no/such/folder/report.html"]).expect(2).says("report.html cannot be written");
    project.run(&["deploy", "--tag", "nothere", "--report", "report.html"]).expect(4);
    let seen = look(&project.root().join("report.html"), 800, "light");
    let text = seen["text"].as_str().unwrap_or_default();
    assert!(text.contains("failed") && text.contains("nothere") && text.contains("put it there"), "{text}");
}
