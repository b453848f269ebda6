//! Reads the reference rows that tests compare with; compiled for tests alone.

/// Lines of a CSV file: comments start with #, the first other line names the columns.
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

/// One line of a [`Table`].
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Table,
    index: usize,
}

impl Table {
    pub(crate) fn parse(text: &'static str) -> Table {
        let mut lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split(',').collect::<Vec<_>>());
        let columns = lines.next().unwrap();
        let rows: Vec<_> = lines.collect();
        assert!(!rows.is_empty());
        for row in &rows {
            assert_eq!(row.len(), columns.len(), "{row:?}");
        }
        Table { columns, rows }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.len()).map(|index| Row { table: self, index })
    }
}

impl Row<'_> {
    pub(crate) fn text(&self, column: &str) -> &'static str {
        let found = self.table.columns.iter().position(|name| *name == column);
        let column = found.unwrap_or_else(|| panic!("no column {column}"));
        self.table.rows[self.index][column]
    }

    pub(crate) fn number(&self, column: &str) -> f64 {
        self.text(column).parse().unwrap()
    }

    /// `value` equals the column within `relative`; exactly where that is zero or infinite.
    #[track_caller]
    pub(crate) fn assert_within(&self, column: &str, value: f64, relative: f64) {
        let expected = self.number(column);
        let near = (value - expected).abs() <= relative * expected.abs();
        assert!(value == expected || near, "{}", self.tell(column, value));
    }

    /// `value` equals the column within 1e-9: nothing cancels.
    #[track_caller]
    pub(crate) fn assert_equal(&self, column: &str, value: f64) {
        self.assert_within(column, value, 1e-9);
    }

    /// `value` equals the column within 1e-12 absolute: the reference itself lost its digits.
    #[track_caller]
    pub(crate) fn assert_near(&self, column: &str, value: f64) {
        let near = (value - self.number(column)).abs() <= 1e-12;
        assert!(near, "{}", self.tell(column, value));
    }

    fn tell(&self, column: &str, value: f64) -> String {
        let first = self.table.rows[self.index][0];
        let expected = self.number(column);
        format!("{column} in row {first}: {value:e}, reference {expected:e}")
    }
}
