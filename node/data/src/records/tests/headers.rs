//! Which row names the columns, if one does.

use super::super::Dialect;
use super::{has, read, read_as, wrong, wrong_as};

fn header(header: bool) -> Dialect {
    Dialect { header: Some(header), ..Dialect::default() }
}

#[test]
fn a_first_row_of_words_over_other_types_names_the_columns() {
    let texts = [
        "x,label\n1,a\n2,b\n",
        "x,color,label\n1,red,a\n2,blue,b\n3,red,a\n",
        "x,label\nTrue,a\nFalse,b\nTrue,a\nFalse,b\n",
        "day,x,label\n2024-01-01,1,a\n2024-01-02,2,b\n",
        "share,of\n45%,a\n55%,b\n",
        "y,z\ny,1\nn,2\n",
        "K,NA,CL\n1,2,3\n4,5,6\n",
        "color,label\nred,up\nblue,down\n",
        "shape,color\nround,red\nround,blue\nlong,red\n",
        "a,b\n?,1\n2,NA\n",
    ];
    for text in texts {
        let (got, understood) = read(text);
        let want: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(got.columns, want, "{text:?}");
        assert_eq!((understood.header, understood.header_line), (true, Some(1)), "{text:?}");
        assert_eq!(got.rows.len(), text.lines().count() - 1, "{text:?}");
    }
}

#[test]
fn a_first_row_like_the_others_is_a_row_and_that_is_noted() {
    let texts = [
        "5.1,3.5,Iris-a\n4.9,3.0,Iris-b\n6.1,3.1,Iris-a\n",
        "0,0,0.52,0\n0,0,1.2,1\n",
        "39, State-gov, 77516\n50, Private, 83311\n",
        "p,x,s\ne,x,s\np,b,y\ne,x,y\np,x,s\n",
        "2024-01-01,a\n2024-01-02,b\n",
        "1,2,3\n",
        "yes,no\nno,yes\nyes,yes\n",
    ];
    for text in texts {
        let (got, understood) = read(text);
        let width = got.columns.len();
        assert_eq!(got.rows.len(), text.lines().count(), "{text:?}");
        assert_eq!((&got.columns[0][..], got.columns[width - 1].clone()), ("column1", format!("column{width}")));
        assert!(!understood.header, "{text:?}");
        has(&understood.to_string(), &["no header", &format!("column1 to column{width}"), "data.dialect.header"]);
        // What the user says holds, whatever the row looks like.
        if got.rows[0].iter().collect::<std::collections::HashSet<_>>().len() == width {
            assert_eq!(read_as(text, &header(true)).0.columns, got.rows[0], "{text:?}");
        }
    }
}

#[test]
fn an_unsure_header_is_an_error_that_says_how_to_say_it() {
    let texts = [
        "Oslo,north\nRome,south\n",
        "unknown,3.5\n4.9,3.0\n6.1,3.1\n",
        "0,1,2\n5,6,7\n7,8,9\n",
        "red,north,up\nred,south,left\nblue,east,down\n",
    ];
    for text in texts {
        let parts = ["line 1", "unsure", "data.dialect.header = true", "data.dialect.header = false"];
        has(&wrong(text), &parts);
        let lines = text.lines().count();
        assert_eq!(read_as(text, &header(true)).0.rows.len(), lines - 1);
        assert_eq!(read_as(text, &header(false)).0.rows.len(), lines);
    }
}

#[test]
fn columns_that_a_program_has_numbered_have_names() {
    let names: Vec<String> = (0..12).map(|column| column.to_string()).collect();
    let row = ["7"; 12].join(",");
    let (got, _) = read(format!("{}\n{row}\n{row}\n", names.join(",")));
    assert_eq!((got.columns, got.rows.len()), (names, 2));
    assert_eq!(read("label,0,1,2\n5,9,8,7\n6,6,5,5\n").0.columns, ["label", "0", "1", "2"]);
}

#[test]
fn a_column_without_a_name_gets_one_and_is_named() {
    let (got, understood) = read(",x,label\n0,0.5,a\n1,0.7,b\n");
    assert_eq!(got.columns, ["column1", "x", "label"]);
    assert_eq!(understood.nameless, [0]);
    has(&understood.to_string(), &["column 1 has no name and is called column1"]);
}

#[test]
fn a_name_given_twice_is_an_error() {
    has(&wrong("x,x,label\n1,2,a\n3,4,b\n"), &["line 1", "\"x\" twice", "rename", "data.dialect.header = false"]);
}

#[test]
fn names_that_the_user_gives_are_those_of_a_file_without_a_header() {
    let names = |names: &[&str]| Dialect {
        names: Some(names.iter().map(|&name| name.to_owned()).collect()),
        ..Dialect::default()
    };
    let text = "1,2,a\n3,4,b\n";
    let (got, understood) = read_as(text, &names(&["x", "y", "label"]));
    assert_eq!((got.columns, got.rows.len()), (vec!["x".to_owned(), "y".to_owned(), "label".to_owned()], 2));
    assert_eq!(understood.guessed, [""; 0]);
    has(&wrong_as(text, &names(&["x", "y"])), &["2 names", "3 columns"]);
    has(&wrong_as(text, &names(&["x", "x", "y"])), &["\"x\" twice"]);
    has(&wrong_as("x,y\n1,2\n", &names(&["a", "b"])), &["line 1", "data.dialect.names", "names the columns already"]);
}

#[test]
fn comments_before_the_table_are_passed_over_and_counted() {
    let (got, understood) = read("# made by us, for you\n\n#and more\nx,label\n1,a\n2,b\n");
    assert_eq!((got.columns, got.lines), (vec!["x".to_owned(), "label".to_owned()], vec![5, 6]));
    assert_eq!((understood.comments, understood.header_line), (2, Some(4)));
    has(&understood.to_string(), &["header in line 4", "2 comment lines"]);
    // A later line with the sign is a row.
    has(&wrong("x,label\n1,a\n# b\n2,b\n"), &["line 3", "1 cell"]);
    assert_eq!(read("x,label\n1,a\n#2,b\n3,b\n").0.rows[1], ["#2", "b"]);
}

#[test]
fn names_in_a_comment_are_those_of_the_columns() {
    for text in
        ["# x y label\n1 2 0\n3 4 1\n", "# x,y,label\n1,2,0\n3,4,1\n", "# of us\n#x\ty\tlabel\n1\t2\t0\n3\t4\t1\n"]
    {
        let (got, understood) = read(text);
        assert_eq!((got.columns, got.rows.len()), (vec!["x".to_owned(), "y".to_owned(), "label".to_owned()], 2));
        has(&understood.to_string(), &["the comment in line", "names the columns"]);
    }
    let (got, _) = read("#,Name,Attack\n1,Bulbasaur,49\n2,Ivysaur,62\n");
    assert_eq!((got.columns, got.rows.len()), (vec!["#".to_owned(), "Name".to_owned(), "Attack".to_owned()], 2));
}

#[test]
fn a_header_without_rows_is_an_empty_table() {
    let (got, _) = read("x,y,label\n");
    assert_eq!((got.columns.len(), got.rows.len()), (3, 0));
}

#[test]
fn a_dialect_has_no_other_keys() {
    let read = |text: &str| serde_json::from_str::<Dialect>(text);
    let said = read(r#"{"delimiter":";","decimal":",","header":false,"missing":["-9"],"names":["a"]}"#).unwrap();
    assert_eq!((said.delimiter, said.decimal, said.header), (Some(';'), Some(','), Some(false)));
    assert!(read(r#"{"seperator":";"}"#).unwrap_err().to_string().contains("seperator"));
    assert_eq!(serde_json::to_string(&Dialect::default()).unwrap(), "{}");
}
