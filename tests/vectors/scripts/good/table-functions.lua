-- expect: returns 1 5 2 3|5|1 2 3|3|2 3
local t = {1, 2, 3} table.insert(t, 2, 5)
local s = table.concat(t, " ") .. "|" .. table.remove(t, 2) .. "|" .. table.concat(t, " ")
local p = table.pack(1, nil, 3)
return s .. "|" .. p.n .. "|" .. table.concat({table.unpack({1, 2, 3}, 2)}, " ")
