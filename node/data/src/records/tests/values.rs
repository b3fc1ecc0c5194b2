//! What texts mean.

use jiff::civil::date as day;

use super::super::{DateError, DateOrder, boolean, date, date_order, number, shortened};

#[test]
fn numbers_are_finite_and_no_words() {
    let good = [("1", 1.0), ("+1", 1.0), (".5", 0.5), ("1.", 1.0), ("-1e-3", -0.001), (" 1 ", 1.0), ("1E5", 1e5)];
    for (text, want) in good {
        assert_eq!(number(text, false), Some(want), "{text:?}");
    }
    for text in ["", "-", ".", "inf", "NaN", "-inf", "infinity", "1e999", "1,5", "1_000", "0x10", "1 2", "--1", "e5"] {
        assert_eq!(number(text, false), None, "{text:?}");
    }
}

#[test]
fn decimal_commas_have_points_between_thousands_only() {
    let good =
        [("1,5", 1.5), ("1.234,5", 1234.5), ("-1.234.567", -1_234_567.0), ("7", 7.0), (",5", 0.5), ("1,5e3", 1500.0)];
    for (text, want) in good {
        assert_eq!(number(text, true), Some(want), "{text:?}");
    }
    assert_eq!(number(&format!("1,{}", "0".repeat(70)), true), None);
    for text in ["1.5", "0.512", "1,2,3", "1,2.3", "12.34,5", "1234.567,8", "1.2345", ".5", "a,5"] {
        assert_eq!(number(text, true), None, "{text:?}");
    }
}

#[test]
fn truth_values_are_eight_words() {
    for text in ["true", "True", "YES", "t", "y ", "yes"] {
        assert_eq!(boolean(text), Some(true), "{text:?}");
    }
    for text in ["false", "FALSE", "no", "F", "n"] {
        assert_eq!(boolean(text), Some(false), "{text:?}");
    }
    for text in ["", "1", "0", "on", "ye", "nope"] {
        assert_eq!(boolean(text), None, "{text:?}");
    }
}

#[test]
fn dates_are_days_since_1970() {
    let good = [
        ("1970-01-01", 0.0),
        ("1969-12-31", -1.0),
        ("2024-02-29", 19_782.0),
        ("2024/02/29", 19_782.0),
        ("2024-02-29T12:00:00", 19_782.5),
        ("2024-02-29 06:00", 19_782.25),
        ("2024-02-29T12:00:00Z", 19_782.5),
        ("2024-02-29 12:00:00+12:00", 19_782.0),
        ("29.2.2024", 19_782.0),
        ("01.02.1970", 31.0),
        ("29/02/2024", 19_782.0),
        ("02/29/2024", 19_782.0),
        ("29-02-2024 12:00", 19_782.5),
        ("02/02/1970", 32.0),
    ];
    for (text, want) in good {
        assert_eq!(date(text, None), Ok(want), "{text:?}");
    }
    let bad = [
        "",
        "2024",
        "2024-02-30",
        "30/02/2024",
        "2024-13-01",
        "20240229",
        "1.5.2",
        "12:00:00",
        "01/02/24",
        "2024-1-1-1",
        "2024-02-29 25:00",
        "2024-02-29x",
        "a2024-02-29",
        "ü2024-02-29",
        "2024-02-ü9",
    ];
    for text in bad {
        assert_eq!(date(text, None), Err(DateError::NotADate), "{text:?}");
    }
}

#[test]
fn dates_in_two_orders_are_ambiguous_until_one_is_said() {
    let (first, second) = (day(2024, 2, 1), day(2024, 1, 2));
    let error = date("01/02/2024", None).unwrap_err();
    assert_eq!(error, DateError::Ambiguous { day_first: first, month_first: second });
    assert!(error.to_string().contains("2024-02-01 (day first) or 2024-01-02 (month first)"), "{error}");
    let days = |text| date(text, None).unwrap();
    assert_eq!(date("01/02/2024", Some(DateOrder::DayFirst)), Ok(days("2024-02-01")));
    assert_eq!(date("01/02/2024", Some(DateOrder::MonthFirst)), Ok(days("2024-01-02")));
    assert_eq!(date("13/02/2024", Some(DateOrder::MonthFirst)), Err(DateError::NotADate));
    assert_eq!(date_order("13/02/2024"), Some(DateOrder::DayFirst));
    assert_eq!(date_order("02/13/2024 10:00"), Some(DateOrder::MonthFirst));
    for text in ["01/02/2024", "2024-02-13", "13.02.2024", "x"] {
        assert_eq!(date_order(text), None, "{text:?}");
    }
}

#[test]
fn what_messages_repeat_is_short_and_without_control_characters() {
    assert_eq!(shortened("a\u{1b}[31m\n\"b\" 'c' \\"), "a\\u{1b}[31m\\n\"b\" 'c' \\");
    assert_eq!(shortened(&"ü".repeat(41)), "ü".repeat(40) + "…");
    assert_eq!(shortened(&"ü".repeat(40)), "ü".repeat(40));
}
