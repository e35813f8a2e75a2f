//! The status page in a real browser.

use crate::harness::{eventually, free_port, Browser, Mirror, Plan};
use std::fs;

/// The page must fit without scrolling into this window, and be readable in the other.
const WINDOW: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (360, 740);

fn browser(mirror: &Mirror, language: &str) -> Option<Browser> {
    Browser::start(&mirror.dir().join(format!("browser-{language}")), language)
}

fn fits(browser: &mut Browser, (width, height): (u32, u32), both_ways: bool) {
    browser.shape(width, height, false);
    let wide = "document.documentElement.scrollWidth";
    let found: u32 = browser.evaluate(wide).parse().unwrap();
    assert!(found <= width, "{found} pixels wide in a window of {width}");
    let found: u32 = browser.evaluate("document.documentElement.scrollHeight").parse().unwrap();
    assert!(!both_ways || found <= height, "{found} pixels high in a window of {height}");
}

#[test]
fn the_page_shows_what_is_up_down_and_halted_and_says_when_it_has_lost_contact() {
    let mut plan = Plan::with_remotes(1);
    let port = free_port();
    plan.conf.status_port = port;
    let nowhere = ("127.0.0.1".to_string(), "<b>no</b>where".to_string());
    plan.conf.roots[0].remotes.push(nowhere);
    let second = plan.directory("second");
    fs::write(second.join("anchor"), "").unwrap();
    let copy = plan.directory("copy");
    plan.conf.root(&second, &[("local".to_string(), copy.display().to_string())]);
    plan.await_full_sync = false;
    let mut mirror = plan.start();
    mirror.equal();
    let Some(mut browser) = browser(&mirror, "en-US") else { return };
    browser.shape(WINDOW.0, WINDOW.1, false);
    browser.go(&format!("http://localhost:{port}/"));
    browser.shows(&["127.0.0.1::module0", "up", "down", "needs attention", "Unknown module"]);
    // A name is a name, whatever stands in it.
    browser.shows(&["127.0.0.1::<b>no</b>where"]);
    assert_eq!(browser.evaluate("document.querySelectorAll('b').length"), "0");
    fs::rename(&second, second.with_extension("away")).unwrap();
    browser.shows(&["halted", "the directory is gone or another one"]);
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually("the change is drawn", || {
        browser.evaluate("$('mc').textContent").contains("most 1")
    });
    fits(&mut browser, WINDOW, true);
    browser.shoot("states-light");
    // The same nodes are there a drawing later: nothing flickers.
    browser.evaluate("(window.kept=document.querySelectorAll('.row')[1],window.seen=heard)");
    eventually("it draws again", || browser.evaluate("heard>window.seen") == "true");
    assert_eq!(browser.evaluate("window.kept===document.querySelectorAll('.row')[1]"), "true");
    browser.shape(WINDOW.0, WINDOW.1, true);
    browser.shoot("states-dark");
    fits(&mut browser, PHONE, false);
    browser.shoot("states-phone");
    assert_eq!(browser.complaints, [""; 0]);
    mirror.halt_program();
    browser.shape(WINDOW.0, WINDOW.1, false);
    browser.shows(&["No contact with sersync for"]);
    browser.shoot("lost");
    fs::rename(second.with_extension("away"), &second).unwrap();
    mirror.start_again(&[]);
    eventually("contact is back", || browser.evaluate("$('lost').hidden") == "true");
}

#[test]
fn eight_remotes_fit_in_one_screen_and_chinese_is_spoken_to_whom_it_helps() {
    let mut plan = Plan::with_remotes(8);
    let port = free_port();
    plan.conf.status_port = port;
    let mut mirror = plan.start();
    mirror.equal();
    let Some(mut browser) = browser(&mirror, "zh-CN") else { return };
    browser.shape(WINDOW.0, WINDOW.1, false);
    browser.go(&format!("http://127.0.0.1:{port}/"));
    browser.shows(&["远端", "正常", "127.0.0.1::module7", "失败日志"]);
    fits(&mut browser, WINDOW, true);
    browser.shoot("eight-up");
    // The most that has to be shown: all of them down, each with its error.
    mirror.daemon.stop();
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually("all are down", || {
        browser.evaluate("document.body.innerText.split('中断').length") == "9"
    });
    browser.shoot("eight-down");
    fits(&mut browser, WINDOW, true);
    fits(&mut browser, PHONE, false);
    browser.shoot("eight-down-phone");
    assert_eq!(browser.complaints, [""; 0]);
    mirror.daemon.start();
    mirror.equal();
}

#[test]
fn the_page_shows_how_far_full_syncs_have_come() {
    let mut plan = Plan::with_remotes(8);
    // No rsync before 3.1.0 says it.
    plan.rsync_here(None);
    let port = free_port();
    plan.conf.status_port = port;
    plan.conf.params = "-art --bwlimit=200".into();
    plan.await_full_sync = false;
    for number in 0..10 {
        fs::write(plan.root.join(format!("file{number}")), [b'x'; 100_000]).unwrap();
    }
    let mirror = plan.start();
    let Some(mut browser) = browser(&mirror, "en-US") else { return };
    browser.shape(WINDOW.0, WINDOW.1, false);
    browser.go(&format!("http://localhost:{port}/"));
    browser.shows(&["full sync, under way for", "% · ", " files · ", "KiB/s · ", " left"]);
    let bars =
        "[...document.querySelectorAll('progress')].filter(bar=>!bar.hidden&&bar.value>0).length";
    eventually("each has a bar", || browser.evaluate(bars) == "8");
    browser.shoot("eight-full-syncs");
    fits(&mut browser, WINDOW, true);
    fits(&mut browser, PHONE, false);
    browser.shoot("eight-full-syncs-phone");
    browser.shape(WINDOW.0, WINDOW.1, true);
    mirror.equal();
    eventually("the bars are gone", || browser.evaluate(bars) == "0");
    browser.shows(&["0 · 976 KiB"]);
    browser.shoot("eight-synced-dark");
    assert_eq!(browser.complaints, [""; 0]);
}
