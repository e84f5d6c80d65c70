-- expect: fails
return table.concat({}, "", math.maxinteger, math.maxinteger)
