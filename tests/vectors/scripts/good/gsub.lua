-- expect: returns <a><b> 2 h3ll0 b-a aXc x.b
local s, n = ("ab"):gsub(".", "<%0>")
local t = ("hello"):gsub("[eo]", {e = "3", o = 0})
local u = ("a-b"):gsub("(%w)-(%w)", "%2-%1")
local v = ("abc"):gsub("b", function(c) return "X" end)
local w = ("a.b"):gsub("^a", "x")
return s .. " " .. n .. " " .. t .. " " .. u .. " " .. v .. " " .. w
