-- expect: fails
return _G.pcall
