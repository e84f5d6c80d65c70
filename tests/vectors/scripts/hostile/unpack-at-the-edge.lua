-- expect: returns nil
return tostring(table.unpack({}, math.maxinteger, math.maxinteger))
