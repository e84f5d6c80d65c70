-- expect: differs
local t = {}
for i = 1, 4 do t["key" .. i] = i end
for i = 1, 4 do t["key" .. i] = nil end
t["o11"] = nil t["p" .. 53] = 1 t["p" .. 59] = nil t[2] = 1
t["o78"] = nil t["p" .. 74] = 1 t["p" .. 17] = nil t[12] = 1
t["o44"] = nil t["p" .. 38] = 1 t["p" .. 42] = nil t[8] = 1
t["o32"] = nil t["p" .. 30] = 1 t["p" .. 12] = nil t[7] = 1
t["o90"] = nil t["p" .. 28] = 1 t["p" .. 57] = nil t[23] = 1
t["o12"] = nil t["p" .. 68] = 1 t["p" .. 84] = nil t[9] = 1
t["o23"] = nil t["p" .. 0] = 1 t["p" .. 66] = nil t[27] = 1
t["o82"] = nil t["p" .. 80] = 1 t["p" .. 62] = nil t[34] = 1
t["o4"] = nil t["p" .. 34] = 1 t["p" .. 68] = nil t[32] = 1
t["o20"] = nil t["p" .. 46] = 1 t["p" .. 64] = nil t[6] = 1
t["o5"] = nil t["p" .. 88] = 1 t["p" .. 68] = nil t[31] = 1
t["o51"] = nil t["p" .. 55] = 1 t["p" .. 24] = nil t[1] = 1
t["o38"] = nil t["p" .. 76] = 1 t["p" .. 24] = nil t[18] = 1
t["o51"] = nil t["p" .. 31] = 1 t["p" .. 82] = nil t[6] = 1
local s = "" for i = 1, 40 do t["q" .. i] = 1 s = s .. #t .. "," t["q" .. i] = nil end return s
