// SPDX-License-Identifier: MIT
using System.Text;
using System.Text.Json;

namespace Devmap.Benchmarks.Suite;

/// <summary>The folder of a run's results.</summary>
internal sealed class ResultFiles
{
    /// <summary>Of a build tree, and so this suite's own.</summary>
    public const string DefaultFolder = "artifacts/bench";

    /// <summary>Says that what a run replaces in the folder is this suite's, and may be deleted.</summary>
    public const string Marker = ".devmap-bench";

    private const string RawFolder = "raw";

    private readonly string _folder;

    /// <summary>Makes the folder, and finds out now whether it can be written to.</summary>
    public ResultFiles(string folder)
    {
        _folder = Path.GetFullPath(folder);
        string raw = Path.Combine(_folder, RawFolder);
        RefuseAnothersFolder();
        try
        {
            Directory.CreateDirectory(_folder);
            Write(Marker, "The Devmap benchmarks replace raw and plots in this folder.\n");
            if (Directory.Exists(raw))
                Directory.Delete(raw, recursive: true);
            Directory.CreateDirectory(raw);
            File.Delete(Write("results.json.tmp", string.Empty));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SuiteException($"The results cannot be written to {_folder}: {exception.Message}", exception);
        }
    }

    /// <summary>Where the tools write.</summary>
    public string Raw(string name) => Path.Combine(_folder, RawFolder, name);

    /// <summary>Writes the results, the report and the plots, and returns the report's path.</summary>
    public async Task<string> WriteAsync(RunResults results, TextWriter error, CancellationToken interrupt)
    {
        // What took half an hour to measure first; whatever becomes of the plots, it is there.
        Replace("results.json", JsonSerializer.Serialize(results, ResultsJson.Default.RunResults) + "\n");
        Replace("report.md", Report.Write(results, "they were not drawn"));
        string? noPictures = await Plots.WriteAsync(results, _folder, interrupt).ConfigureAwait(false);
        if (noPictures is not null)
            await error.WriteLineAsync($"warning: the report has no pictures: {noPictures}").ConfigureAwait(false);
        return Replace("report.md", Report.Write(results, noPictures));
    }

    /// <summary>A run deletes folders of common names: they may be somebody's.</summary>
    private void RefuseAnothersFolder()
    {
        if (_folder == Path.GetFullPath(DefaultFolder) || File.Exists(Path.Combine(_folder, Marker)))
            return;
        string[] taken = [.. Plots.Folders.Prepend(RawFolder).Where(name => Path.Exists(Path.Combine(_folder, name)))];
        if (taken.Length > 0)
        {
            throw new SuiteException(
                $"{_folder} has {string.Join(" and ", taken)}, not left there by this suite (there is no {Marker}); "
                + "a run would delete them: name another folder.");
        }
    }

    /// <summary>Whoever reads the file meanwhile sees all of the old one or all of the new one.</summary>
    private string Replace(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.Move(Write($"{name}.tmp", text), path, overwrite: true);
        return path;
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        return path;
    }
}
