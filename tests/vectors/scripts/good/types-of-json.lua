-- expect: returns string string boolean userdata table table nil
local t = json.decode('{"a":1,"b":"x","c":true,"d":null,"e":[],"f":{}}')
local s = {}
for i, k in ipairs({"a", "b", "c", "d", "e", "f", "g"}) do s[i] = type(t[k]) end
return table.concat(s, " ")
