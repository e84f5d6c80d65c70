-- expect: fails
table.insert({}, 5, 1)
